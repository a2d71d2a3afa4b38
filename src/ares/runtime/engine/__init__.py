"""The engine in virtual time: loop, feed, served models, hot swap."""
