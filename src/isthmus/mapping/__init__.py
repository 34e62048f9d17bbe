"""JSONata: mappings and expressions compiled to Python, exact decimals, code tables, lineage.

The only importer of the JSONata engines. It imports nothing of ours. Start at ``mapping.py``.
"""
