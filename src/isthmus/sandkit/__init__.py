"""The kit of which vendors' stand-ins are made: world, clock, faults, routes, push.

A sandbox imports this room and nothing else of Isthmus, so that it cannot agree with
its connector's mistakes.
"""
