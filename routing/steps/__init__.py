"""The steps of the way of a study, one module for each verb."""
