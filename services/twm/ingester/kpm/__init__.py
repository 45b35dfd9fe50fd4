"""E2SM-KPM indications from aligned PER (ITU-T X.691), in four dialects, and E2AP RICindications."""
