-- What every peer on PostGIS reads. `open_until` is null while a haven is shut.
CREATE EXTENSION postgis;

CREATE TABLE haven (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    category text NOT NULL,
    notice text NOT NULL,
    address text NOT NULL,
    postcode text NOT NULL,
    opening_hours text NOT NULL,
    phone text NOT NULL,
    entrance text NOT NULL,
    facilities text[] NOT NULL,
    step_free text NOT NULL,
    schemes jsonb NOT NULL,
    directions_url text NOT NULL,
    lat float8 NOT NULL,
    lon float8 NOT NULL,
    location geography(Point, 4326) NOT NULL,
    open_until timestamptz
);

CREATE INDEX haven_open ON haven USING gist (location) WHERE open_until IS NOT NULL;

-- How tipg is asked for what its own parameters can't say.
CREATE FUNCTION nearest_open(lat float8, lon float8) RETURNS TABLE (
    id uuid, name text, category text, notice text, address text, postcode text,
    location geometry(Point, 4326), opening_hours text, phone text, entrance text,
    facilities text[], step_free text, schemes jsonb, directions_url text, open_until timestamptz,
    distance_m float8
) LANGUAGE sql STABLE AS $$
    SELECT haven.id, name, category, notice, address, postcode,
        location::geometry, opening_hours, phone, entrance,
        facilities, step_free, schemes, directions_url, open_until,
        location <-> ST_MakePoint($2, $1)::geography
    FROM haven
    WHERE open_until > now()
    ORDER BY location <-> ST_MakePoint($2, $1)::geography
    LIMIT 5
$$;
