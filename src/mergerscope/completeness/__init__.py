"""Injection and recovery: which mergers would the search have found, had they been in the survey?"""
