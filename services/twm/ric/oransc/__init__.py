"""O-RAN SC near-RT RIC: subscriptions over REST, indications and A1 policies over RMR, registration as an xApp."""
