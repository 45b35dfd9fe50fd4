"""Encoders and decoders of the E2 service models towards E2 nodes: KPM subscriptions, RC and CCC control. Pure functions.

KPM indications are decoded by the ingester (`twm.ingester.kpm`); nothing here opens a socket.
"""

from twm.core.e2sm.cell_id import NrCgi as NrCgi
from twm.ric.e2sm.kpm_subscription import WantedMeasurement as WantedMeasurement
from twm.ric.e2sm.kpm_subscription import kpm_action_definition as kpm_action_definition
from twm.ric.e2sm.kpm_subscription import kpm_event_trigger as kpm_event_trigger
