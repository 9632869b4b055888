"""A morning at nine hospital trusts: stand-ins for PACS and RIS, and made-up studies."""
