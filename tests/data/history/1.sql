PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE checks (
        id INTEGER PRIMARY KEY, at TEXT NOT NULL, scope TEXT NOT NULL, verdict TEXT NOT NULL, says TEXT NOT NULL,
        exit INTEGER NOT NULL, keys INTEGER NOT NULL
    );
INSERT INTO "checks" VALUES(1,'2026-11-23T00:00:00.000000+00:00','a b','not in sync','not in sync: 1 key differs',1,1);
CREATE TABLE replicas (
        check_id INTEGER NOT NULL REFERENCES checks ON DELETE CASCADE, name TEXT NOT NULL, keys INTEGER,
        wrong INTEGER NOT NULL
    );
INSERT INTO "replicas" VALUES(1,'a',1,0);
INSERT INTO "replicas" VALUES(1,'b',0,1);
CREATE TABLE sightings (
        scope TEXT NOT NULL, class TEXT NOT NULL, key_id BLOB NOT NULL, label BLOB NOT NULL, first_seen TEXT NOT NULL,
        appeared INTEGER NOT NULL, PRIMARY KEY (scope, class, key_id, label)
    ) WITHOUT ROWID;
INSERT INTO "sightings" VALUES('a b','secret-key',X'01',X'64622D6B656B','2026-11-23T00:00:00.000000+00:00',0);
CREATE TABLE troubles (
        check_id INTEGER NOT NULL REFERENCES checks ON DELETE CASCADE, class TEXT NOT NULL, key_id BLOB NOT NULL,
        label BLOB NOT NULL, replica TEXT NOT NULL, cell TEXT NOT NULL
    );
INSERT INTO "troubles" VALUES(1,'secret-key',X'01',X'64622D6B656B','b','missing');
CREATE INDEX checks_by_scope ON checks (scope, at);
CREATE INDEX replicas_by_check ON replicas (check_id);
CREATE INDEX troubles_by_check ON troubles (check_id);
COMMIT;
