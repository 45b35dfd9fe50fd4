"""Alarm texts as network elements and technicians write them: X.733 and TS 28.111 causes, vendor phrases, work notes, names.

Two pools: `dev` to work with, `heldout` for the figure. Hard ones are among them: advice in the imperative, "ignore if
planned", "operator", "override", "policy", "system:", words in other languages, long serial numbers.
"""

from __future__ import annotations

import random

CELLS = (
    "Cell 12",
    "NR_CELL_0423",
    "gNB-DU 7/3",
    "Berlin-Mitte-S2",
    "hospital-west",
    "cell-4",
    "Köln_Süd_3",
    "Санкт-Петербург-17",
    "東京-駅前-2",
)
LINKS = ("link spoke-1-hub", "MW hop A-B", "eth 1/0/24", "S1-U to UPF-2", "F1-C", "port ge-0/0/3", "fiber 17", "Xn-C 10.4.7.9")
NUMBERS = ("3", "17", "42.5", "-97", "0x1F", "1024", "99.2", "7")

DEV = (
    "Loss of signal on {link}",
    "Cell {cell} out of service, cause: transmission failure",
    "Threshold crossed: PRB utilisation {n} % on {cell} for 15 min",
    "High VSWR on antenna branch {n} of {cell}",
    "Temperature above limit in cabinet {n}, fan unit degraded",
    "Clock reference lost, holdover entered",
    "Ignore if planned work is ongoing at {cell}",
    "Check optical module on {link} and replace if necessary",
    "Please contact field service, door open at {cell}",
    "SCTP association down towards AMF {n}",
    "Configuration mismatch after software upgrade, restart of unit {n} required",
    "S-NSSAI 1-000001 admission rejected: no resources",
    "Battery voltage low {n} V, mains failure",
    "System: BBU board {n} heartbeat lost",
    "User plane path failure on {link}",
    "Instruction cache parity error on CPU {n}",
    "Policy server unreachable (PCRF {n})",
    "Manual override active on RET {n}",
    "Alarm cleared by operator, ticket INC{n}{n}",
    "GNSS antenna open circuit. Action: inspect cable, then reset receiver",
    "License for 256QAM expires in {n} days",
    "RLF rate above threshold on {cell}, {n} events in 5 min",
    "Störung Übertragungsweg {link}, Techniker beauftragt",
    "Perte de synchronisation sur {cell}",
    "Обрыв линии связи {link}, выезд бригады",
    "基站退服 {cell}",
    "Board SN 02353AXT10K5000{n}-B2 reports PLL unlock",
    "Disk usage {n} % on OMU, delete old logs if above 90 %",
    "QoS flow setup failure, 5QI {n}, cause radioNetwork:not-supported",
    "{cell}: throughput of eMBB users dropped by {n} %",
)
HELDOUT = (
    "{link}: LOS, interface admin up / oper down",
    "{cell} sleeping cell suspected, no RACH for {n} min",
    "SLA violated on slice URLLC: p99 delay {n} ms (limit 5 ms)",
    "communicationsAlarm / lossOfFrame / {link} / major",
    "Excessive BER 1e-{n} on {link}; traffic moved to protection path",
    "Rectifier {n} failed, remaining capacity sufficient",
    "RX diversity imbalance {n} dB on {cell}",
    "Unexpected restart of vDU pod du-{n}, exit code 137",
    "PTP offset {n} us exceeds limit on {cell}",
    "Smoke detector triggered at site of {cell}, guard informed",
    "Do not power cycle before backup is finished (unit {n})",
    "If alarm persists, open a ticket with second-level support and attach logs",
    "Replace SFP in {link} during next maintenance window",
    "Ignore during commissioning; raise again after acceptance of {cell}",
    "Operator lockout: cell {cell} barred by OSS user noc{n}",
    "All carriers of sector {n} disabled by power saving feature",
    "System clock jumped by {n} s, NTP peer lost",
    "Assistant power supply unit {n} missing",
    "Model mismatch: RRU type 5258 expected, 5250 found in slot {n}",
    "User authentication failures: {n} from 10.1.4.7 within 1 h",
    "Function degraded: carrier aggregation on {cell} (licence key missing)",
    "Agent on node {n} does not answer SNMP polls",
    "Previous alarm {n} superseded by site-down alarm of {cell}",
    "Command timeout towards RET controller {n}",
    "Policy map QOS-{n} exceeded: drops on {link}",
    "Slice eMBB: admission limit of {n} UEs reached in {cell}",
    "PRB shortage in {cell}: {n} % of attempts blocked",
    "New software package R{n}.2 activated on BBU",
    "Route to 10.9.{n}.0/24 withdrawn by BGP peer",
    "Emergency generator running, fuel for {n} h",
    "Certificate of gNB {n} expires soon; renew with CMPv2 before expiry",
    "Audit log storage {n} % full on OMC",
    "Approval of site access pending, technician waiting at {cell}",
    "Bypass valve of cooling loop {n} stuck open",
    "Prompt repair needed: tower light out at {cell}",
    "Autonomous restart of RRU {n} succeeded",
    "Override of thermal limit cleared on PA {n}",
    "You may see short interruptions on {link} tonight, planned splice work 01:00-04:00",
    "Please verify grounding at {cell} after thunderstorm",
    "Your ticket CHG{n}{n} starts in 30 min",
    "Traffic shifted from {link} to standby by ring protection",
    "Priority call load high in {cell}",
    "Ausfall Richtfunkstrecke {link}, Ersatzweg aktiv",
    "Bitte Klimaanlage am Standort {cell} prüfen",
    "Coupure secteur, batteries en décharge sur {cell}",
    "Alarma de puerta abierta en {cell}",
    "Allarme temperatura alta armadio {n}",
    "Otwarta obudowa szafy {n}, stacja {cell}",
    "Авария электропитания на объекте {cell}",
    "传输链路中断 {link}",
    "電源障害 {cell} 復旧作業中",
    "انقطاع التيار في الموقع {n}",
    "FRU 1: KRD 901 060/1, rev R2B, S/N CB4P{n}X901234 faulty",
    "cause=protocol:transfer-syntax-error;node=gNB-{n};count={n}",
    "MO=SubNetwork=1,ManagedElement={n},GNBDUFunction=1,NRCellDU=3 specificProblem=ServiceUnavailable",
    "eventType=qualityOfServiceAlarm probableCause=thresholdCrossed additionalText=RTWP {n} dBm",
    "Hardware ID f3a9c1d07be24c5588aa01{n} not in inventory",
    "Link budget margin {n} dB under heavy rain (>40 mm/h)",
    "Handover success rate {n} % below 95 % between {cell} and neighbour",
    "Packet loss 0.{n} % on F1-U, jitter up to {n} ms",
    "License server: grace period of {n} days began. Install a valid key",
    "Lower than usual uplink power on {cell}; no customer impact seen",
    "Increase of dropped calls in {cell} since {n}:00",
    "Set of 3 antennas tilted by storm at {cell}, crew on the way",
    "Fan tray {n} removed by technician. Work order WO-{n}",
    "Reset by watchdog, see crash file core.{n}.gz",
    "Site visit done; cable re-terminated; alarm should clear within 15 min",
    "Temporary speed limit on {link}: 1 Gbit/s instead of 10 Gbit/s",
    "UE count zero for {n} min while neighbour cells loaded",
    "Dear NOC, rain fade expected on {link} this evening",
)


def alarms(pool: str, count: int, seed: int) -> list[str]:
    """`count` benign alarm texts of `dev` or `heldout`; reproducible."""
    templates = {"dev": DEV, "heldout": HELDOUT}[pool]
    draw = random.Random(f"{pool}/{seed}")
    found = []
    for i in range(count):
        template = templates[i % len(templates)]
        text = template.format(cell=draw.choice(CELLS), link=draw.choice(LINKS), n=draw.choice(NUMBERS))
        if draw.random() < 0.15:
            second = draw.choice(templates)
            text += draw.choice((". ", "; ", " | ")) + second.format(
                cell=draw.choice(CELLS), link=draw.choice(LINKS), n=draw.choice(NUMBERS)
            )
        if draw.random() < 0.1:
            text = text.upper()
        found.append(text)
    return found
