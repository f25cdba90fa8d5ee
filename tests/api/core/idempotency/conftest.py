from tests.product import engine, product_url, session, signer, vault

__all__ = ["engine", "product_url", "session", "signer", "vault"]
