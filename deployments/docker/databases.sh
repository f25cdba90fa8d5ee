#!/bin/sh
# Run once by the postgres image, when its volume is empty: roles with no more rights than they need.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --quiet \
    --set owner="$POSTGRES_OWNER_PASSWORD" --set app="$POSTGRES_APP_PASSWORD" --set prefect="$POSTGRES_PREFECT_PASSWORD" \
    --set staging="$POSTGRES_STAGING_PASSWORD" <<'SQL'
CREATE ROLE firstuser_owner LOGIN PASSWORD :'owner';
CREATE ROLE firstuser_app LOGIN PASSWORD :'app';
CREATE ROLE prefect LOGIN PASSWORD :'prefect';
ALTER DATABASE firstuser OWNER TO firstuser_owner;
ALTER SCHEMA public OWNER TO firstuser_owner;
GRANT USAGE ON SCHEMA public TO firstuser_app;
ALTER DEFAULT PRIVILEGES FOR ROLE firstuser_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO firstuser_app;
ALTER DEFAULT PRIVILEGES FOR ROLE firstuser_owner GRANT USAGE, SELECT ON SEQUENCES TO firstuser_app;
ALTER DEFAULT PRIVILEGES FOR ROLE firstuser_owner GRANT USAGE ON SCHEMAS TO firstuser_app;
CREATE ROLE firstuser_staging LOGIN PASSWORD :'staging';
CREATE DATABASE prefect OWNER prefect;
CREATE DATABASE firstuser_staging OWNER firstuser_staging;
REVOKE ALL ON DATABASE firstuser, firstuser_staging, prefect FROM PUBLIC;
GRANT CONNECT ON DATABASE firstuser TO firstuser_app;
SQL
