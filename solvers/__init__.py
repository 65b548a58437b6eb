"""System to mathematics to solution: equations, HiGHS, checks, KPIs."""
