"""A language model beside the deterministic code: asked, bounded, checked, never trusted."""
