"""Parts of the E2 service models that KPM and RC share (O-RAN.WG3.E2SM and E2SM-KPM): labels, UE and cell ids, dialects."""
