from tests.product import engine, product_url, session

__all__ = ["engine", "product_url", "session"]
