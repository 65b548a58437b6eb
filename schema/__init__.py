"""What goes in and what comes out: systems, studies, records."""
