from tests.product import engine, product_url, session, vault

__all__ = ["engine", "product_url", "session", "vault"]
