-- A ledger as the first schema left it. Never changed: the test of migrations opens it.
BEGIN TRANSACTION;
CREATE TABLE cursors (
	platform VARCHAR(64) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	value TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_cursors PRIMARY KEY (platform, name)
);
INSERT INTO "cursors" VALUES('opencti','harvest','17','2026-11-22 05:52:17.069403');
CREATE TABLE enrichments (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(32) NOT NULL, 
	platform VARCHAR(64) NOT NULL, 
	report TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	digests JSON NOT NULL, 
	release TEXT NOT NULL, 
	attack_version VARCHAR(32) NOT NULL, 
	operating_point VARCHAR(64) NOT NULL, 
	tlp VARCHAR(32), 
	at DATETIME NOT NULL, 
	CONSTRAINT uq_enrichments_id UNIQUE (id)
);
INSERT INTO "enrichments" VALUES(1,'00000000000000000000000000000001','opencti','report-1','2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881','{"description": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}','2026-05-03','18.1','balanced','TLP:GREEN','2026-05-04 12:00:00.123456');
CREATE TABLE files (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(32) NOT NULL, 
	enrichment VARCHAR(32) NOT NULL, 
	name TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT fk_files_enrichment FOREIGN KEY(enrichment) REFERENCES enrichments (id), 
	CONSTRAINT uq_files_id UNIQUE (id)
);
CREATE TABLE ledger_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT ledger_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "ledger_version" VALUES('0001');
CREATE TABLE observations (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(32) NOT NULL, 
	platform VARCHAR(64) NOT NULL, 
	report TEXT NOT NULL, 
	technique VARCHAR(16), 
	object TEXT, 
	present BOOLEAN NOT NULL, 
	who TEXT, 
	origin TEXT, 
	at DATETIME NOT NULL, 
	CONSTRAINT uq_observations_id UNIQUE (id)
);
CREATE TABLE outcomes (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(32) NOT NULL, 
	enrichment VARCHAR(32) NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	detail TEXT, 
	at DATETIME NOT NULL, 
	CONSTRAINT fk_outcomes_enrichment FOREIGN KEY(enrichment) REFERENCES enrichments (id), 
	CONSTRAINT ck_outcomes_outcome CHECK (outcome IN ('done', 'failed')), 
	CONSTRAINT uq_outcomes_id UNIQUE (id)
);
INSERT INTO "outcomes" VALUES(1,'07c335d6c826570089269a34d0d4d7de','00000000000000000000000000000001','done',NULL,'2026-11-22 05:52:17.043003');
CREATE TABLE texts (
	platform VARCHAR(64) NOT NULL, 
	report TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	text TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_texts PRIMARY KEY (platform, report, digest)
);
CREATE TABLE verdicts (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(32) NOT NULL, 
	platform VARCHAR(64) NOT NULL, 
	report TEXT NOT NULL, 
	technique VARCHAR(16) NOT NULL, 
	verdict VARCHAR(16) NOT NULL, 
	known_by VARCHAR(64) NOT NULL, 
	confidence FLOAT NOT NULL, 
	who TEXT, 
	evidence TEXT, 
	evidence_digest VARCHAR(64), 
	enrichment VARCHAR(32), 
	release TEXT, 
	attack_version VARCHAR(32), 
	tlp VARCHAR(32), 
	origin TEXT, 
	at DATETIME NOT NULL, 
	CONSTRAINT ck_verdicts_verdict CHECK (verdict IN ('confirmed', 'rejected', 'added')), 
	CONSTRAINT uq_verdicts_id UNIQUE (id)
);
INSERT INTO "verdicts" VALUES(1,'1f15771ec1ba5aeeb3ac38ec77f65220','opencti','report-1','T1059.001','rejected','history',1.0,'ana',NULL,NULL,NULL,NULL,NULL,NULL,'row-17','2026-05-04 12:00:00.123456');
CREATE TABLE written (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(32) NOT NULL, 
	enrichment VARCHAR(32) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	technique VARCHAR(16), 
	object TEXT, 
	probability FLOAT, 
	recognizer TEXT, 
	evidence TEXT, 
	evidence_digest VARCHAR(64), 
	source TEXT, 
	page INTEGER, 
	content_digest VARCHAR(64), 
	at DATETIME NOT NULL, 
	CONSTRAINT fk_written_enrichment FOREIGN KEY(enrichment) REFERENCES enrichments (id), 
	CONSTRAINT ck_written_kind CHECK (kind IN ('ref', 'relationship', 'note', 'tag', 'object', 'inference')), 
	CONSTRAINT uq_written_id UNIQUE (id)
);
INSERT INTO "written" VALUES(1,'5a2465f1bfb857c79f3ce48f8b7ad407','00000000000000000000000000000001','ref','T1059.001',NULL,0.91,'svc','It ran PowerShell.','b5ddf82572ad6603c7e0cf0e7ed2159eb3eb1106e76d9597953d5e217461b767','description',NULL,NULL,'2026-05-04 12:00:00.123456');
CREATE INDEX ix_outcomes_enrichment ON outcomes (enrichment);
CREATE INDEX ix_written_enrichment ON written (enrichment);
CREATE INDEX ix_files_enrichment ON files (enrichment);
CREATE INDEX ix_enrichments_platform_report ON enrichments (platform, report);
CREATE INDEX ix_observations_platform_report ON observations (platform, report);
CREATE INDEX ix_verdicts_platform_report ON verdicts (platform, report);
CREATE INDEX ix_verdicts_at ON verdicts (at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('enrichments',1);
INSERT INTO "sqlite_sequence" VALUES('written',1);
INSERT INTO "sqlite_sequence" VALUES('outcomes',1);
INSERT INTO "sqlite_sequence" VALUES('verdicts',1);
COMMIT;
