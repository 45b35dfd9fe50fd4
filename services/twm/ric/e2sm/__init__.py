"""Encoders and decoders of the E2 service models towards E2 nodes: KPM subscriptions, RC and CCC control. Pure functions.

KPM indications are decoded by the ingester (`twm.ingester.kpm`); nothing here opens a socket.
"""

from twm.core.e2sm.cell_id import NrCgi as NrCgi
from twm.ric.e2sm.ccc import ccc_policy_ratio as ccc_policy_ratio
from twm.ric.e2sm.ccc import decode_ccc_outcome as decode_ccc_outcome
from twm.ric.e2sm.kpm_function import decode_kpm_function as decode_kpm_function
from twm.ric.e2sm.kpm_subscription import WantedMeasurement as WantedMeasurement
from twm.ric.e2sm.kpm_subscription import kpm_action_definition as kpm_action_definition
from twm.ric.e2sm.kpm_subscription import kpm_event_trigger as kpm_event_trigger
from twm.ric.e2sm.quota import CellQuotas as CellQuotas
from twm.ric.e2sm.quota import PolicyMember as PolicyMember
from twm.ric.e2sm.quota import SliceQuota as SliceQuota
from twm.ric.e2sm.quota import cell_quotas as cell_quotas
from twm.ric.e2sm.rc import NESTINGS as NESTINGS
from twm.ric.e2sm.rc import RcNesting as RcNesting
from twm.ric.e2sm.rc import decode_rc_outcome as decode_rc_outcome
from twm.ric.e2sm.rc import rc_prb_quota as rc_prb_quota
