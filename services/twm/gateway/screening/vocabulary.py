"""What of an alarm's text a language model may see: the words of a closed vocabulary, figures with units, names of the network.

A list of forbidden phrases is always a step behind; a list of what alarms are made of is not. The vocabulary (probable causes
of X.733 and TS 28.111, the trade's own nouns, states and units) holds no verb that could ask for an act on what the service
controls and no word for its approvals, modes, policies or guards. Everything else is shown as one ellipsis.
"""

from __future__ import annotations

import re
from collections.abc import Set

ELLIPSIS = "…"
_WORDS = """
    a an the of on in at by for from to with without and or not no is are was were be been has have had after before above
    below between during since under over out up per than more less very too still again now until while when if due cause
    caused because high higher low lower major minor critical warning cleared clear active inactive intermittent
    persistent degraded degradation failed failure failures fault faulty error errors lost loss down unavailable
    unreachable unresponsive missing absent broken defective damaged blocked barred congested congestion overloaded
    overload exceeded exceeds exceeding crossed crossing reached threshold threshold-crossed limit expired expires
    expiring pending ongoing planned unplanned detected suspected observed seen reported rejected dropped interrupted
    interruption interruptions flapping mismatch misconfigured misaligned stuck open closed abnormal unexpected unknown
    invalid corrupt corrupted partial complete total intermittent excessive insufficient shortage alarm alarms event
    events indication signal signals frame frames sync synchronization synchronisation clock reference holdover timing
    phase frequency offset drift gnss gps ptp ntp sctp f1 f1-c f1-u xn xn-c ng s1 s1-u x2 e1 e2 n2 n3 n4 cpri ecpri
    fronthaul midhaul backhaul transport transmission optical fibre fiber cable connector port interface ethernet module
    sfp lof los ais rdi ber crc bgp mpls vlan ip route routes router hop microwave radio antenna branch sector carrier
    feeder jumper vswr rtwp rssi rsrp rsrq sinr cqi mimo tilt ret rru rrh bbu du cu gnb enb gnb-du gnb-cu amf smf upf pcf
    ran cell cells site sites node nodes link links spoke hub neighbour neighbor neighbours neighbors zone area board unit
    units card slot rack cabinet fan fans cooling temperature humidity smoke water door intrusion power supply mains
    rectifier battery voltage current generator fuel grounding lightning storm rain wind ice snow flood fire equipment
    hardware software firmware version package licence license certificate storage disk memory cpu processor load usage
    utilisation utilization occupancy buffer queue queues throughput traffic volume capacity bandwidth delay latency
    jitter packet packets bearer bearers session sessions handover handovers attach registration setup paging rach rlf rrc
    drb pdu qos 5qi flow flows ue ues user users call calls attempts rate rates ratio success kpi counter samples
    measurement measurements embb urllc mmtc fwa prb prbs slice slices heartbeat restart restarted reboot rebooted reset
    crash crashed watchdog timeout protocol association path paths plane uplink downlink server service outage outages
    maintenance work works field technician team crew ticket day days hour hours hrs minute minutes min second seconds sec
    ms us ns today tonight morning evening night percent db dbm mbps kbps gbps gbit/s mbit/s mhz ghz khz km m v a c
    degrees first second third one two three four five several all some each both other same new old main backup standby
    redundant protection primary secondary left right north south east west inner outer upper indoor outdoor
    communicationsalarm qualityofservicealarm processingerroralarm equipmentalarm environmentalalarm additionaltext
    probablecause specificproblem eventtype thresholdcrossed lossofsignal lossofframe
    """
WORDS = frozenset(_WORDS.split())
"""Lower case; no verb in its base form but `reset` and `restart`, which name states here."""

_TOKEN = re.compile(r"[^\s]+")
_FIGURE = re.compile(
    r"[+-]?\d{1,9}(?:[.,:/]\d{1,6}){0,3}%?(?:dBm?|ms|us|ns|s|min|h|V|A|°?C|K|[kMG]?bps|[kMG]?Hz|km|m|%)?", re.IGNORECASE
)
_EDGES = "\"'()[]{}<>.,;:!?|*#`"


def reduce(text: str, names: Set[str] = frozenset()) -> str:
    """`text` with everything outside the vocabulary replaced. `names`: ids of the network that stand as they are."""
    shown: list[str] = []
    for token in _TOKEN.findall(text):
        core = token.strip(_EDGES)
        if token == "%" or core == "%":
            shown.append("%")
            continue
        if not core and len(token) <= 2:
            continue
        kept = core in names or core.casefold() in WORDS or (_FIGURE.fullmatch(core) is not None)
        if kept:
            shown.append(core if core in names else core.casefold())
        elif not shown or shown[-1] != ELLIPSIS:
            shown.append(ELLIPSIS)
    return " ".join(shown)
