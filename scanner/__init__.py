"""
orgproof: evidence, account by account, of who can sign in to the AWS console without MFA.
"""

__version__ = "0.1.0"
