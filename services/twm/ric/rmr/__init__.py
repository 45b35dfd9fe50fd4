"""Messages of the RIC message router (RMR) behind one narrow interface."""
