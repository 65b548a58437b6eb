"""Steps of a study, one each; the study algorithms as ask/tell objects."""
