"""KPM and adapter telemetry in, one aligned KpiFrame a slow step out."""
