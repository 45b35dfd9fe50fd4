"""E2SM-KPM indications from aligned PER (ITU-T X.691), in the dialects of twm.core.e2sm, and E2AP RICindications."""

from twm.ingester.kpm.header import decode_header as decode_header
from twm.ingester.kpm.json_form import to_json as to_json
from twm.ingester.kpm.message import decode_message as decode_message
