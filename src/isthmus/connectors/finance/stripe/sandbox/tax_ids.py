"""A customer's tax ids: eu_vat, jp_trn and the rest, as Stripe names their types.

docs.stripe.com/api/customer_tax_ids. Only European numbers are looked up by Stripe (``verification``); here they
stay pending.
"""

from __future__ import annotations

import re
from typing import Any

from .account import Account, Body
from .errors import ParameterError, StripeError, missing_object
from .lists import listing
from .operation import Ask, operation
from .words import words

TYPES = frozenset(
    words(
        "ad_nrt ae_trn al_tin am_tin ao_tin ar_cuit au_abn au_acn au_arn au_wpn aw_tin az_tin ba_tin bb_tin bd_bin "
        "bf_ifu bg_uic bh_vat bj_ifu bo_tin br_cnpj br_cpf bs_tin bw_vat by_tin ca_bn ca_gst_hst ca_pst_bc "
        "ca_pst_mb ca_pst_sk ca_qst cd_nif ch_uid ch_vat ci_vat cl_tin cm_niu cn_tin co_nit cr_tin cv_nif cz_dic "
        "de_stn do_rcn ec_ruc eg_tin es_cif et_tin eu_oss_vat eu_vat fo_vat fr_siren fr_siret fr_spi gb_vat ge_vat "
        "gh_tin gi_tin gn_nif hk_br hr_oib hu_tin ic_nif id_npwp il_vat in_gst is_kt is_vat it_cf jp_cn jp_rn "
        "jp_trn ke_pin kg_tin kh_tin kr_brn kz_bin la_tin li_uid li_vat lk_vat ma_vat md_cf md_vat me_pib mk_vat "
        "mr_nif mu_vat mx_rfc my_frp my_itn my_sst mz_nuit ng_tin no_vat no_voec np_pan nz_bn nz_gst om_vat pe_ruc "
        "ph_tin pl_nip pt_nif py_ruc ro_tin rs_pib ru_inn ru_kpp sa_vat sg_gst sg_uen si_tin sm_coe sn_ninea "
        "sr_fin sv_nit th_vat tj_tin tr_tin tt_bir tt_vat tw_vat tz_vat ua_vat ug_tin us_ein uy_ruc uz_tin uz_vat "
        "ve_rif vn_tin za_vat zm_tin zw_tin"
    )
)
_EUROPEAN = re.compile(
    r"(AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI)[0-9A-Z+*]{2,12}"
)


def add_tax_id(account: Account, customer: str, data: dict[str, Any]) -> Body:
    """A new tax id of a customer. Raises ParameterError for a type that there is not or a European number that
    cannot be one."""
    kind, value = data["type"], data["value"]
    if kind not in TYPES:
        raise ParameterError(f"Invalid type: must be one of {', '.join(sorted(TYPES))}", param="type")
    if kind == "eu_vat" and not _EUROPEAN.fullmatch(value):
        raise StripeError(f"Invalid value for eu_vat: {value}.", code="tax_id_invalid", param="value")
    tax_id = {
        "id": account.new_id("txi"),
        "object": "tax_id",
        "country": value[:2].replace("EL", "GR") if kind == "eu_vat" else kind[:2].upper(),
        "created": account.now,
        "customer": customer,
        "customer_account": None,
        "livemode": False,
        "owner": {"customer": customer, "type": "customer"},
        "type": kind,
        "value": value,
        "verification": {
            "status": "pending" if kind == "eu_vat" else "unavailable",
            "verified_address": None,
            "verified_name": None,
        },
    }
    return account.add(tax_id, "customer.tax_id.created")


def _create(account: Account, ask: Ask) -> Body:
    return add_tax_id(account, account.get("customer", ask.id)["id"], dict(ask.given))


def _of_customer(account: Account, ask: Ask) -> Body:
    tax_id = account.find("tax_id", ask.ids["tax_id"])
    if tax_id is None or tax_id["customer"] != ask.id:
        raise missing_object("tax_id", ask.ids["tax_id"], "id")
    return tax_id


def _delete(account: Account, ask: Ask) -> Body:
    return account.remove(_of_customer(account, ask), "customer.tax_id.deleted")


OPERATIONS = (
    operation("POST", "/v1/customers/{id}/tax_ids", _create, "type! value!"),
    listing("/v1/customers/{id}/tax_ids", "tax_id", customer="id"),
    operation("GET", "/v1/customers/{id}/tax_ids/{tax_id}", _of_customer),
    operation("DELETE", "/v1/customers/{id}/tax_ids/{tax_id}", _delete),
)
