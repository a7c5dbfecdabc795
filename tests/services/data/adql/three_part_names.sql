SELECT "tables"."table_name" AS "table_name" FROM "tap_schema"."tables" AS "tables" WHERE ("tables"."schema_name" = 'it''s') LIMIT 101
