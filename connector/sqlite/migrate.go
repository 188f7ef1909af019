package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// prepare brings the tables up to date and returns the master keys. It looks at the keys first:
// a database whose keys are lost is left as it was found.
func prepare(ctx context.Context, pool *sql.DB, keyFile string, logger *slog.Logger) (*keyring, error) {
	keys, err := readKeyFile(keyFile)
	if err != nil {
		return nil, err
	}
	if keys == nil {
		if err := refuseLostKeys(ctx, pool, keyFile); err != nil {
			return nil, err
		}
	}
	if err := migrate(ctx, pool); err != nil {
		return nil, err
	}
	if keys != nil {
		if keys.retired() > 0 {
			logger.WarnContext(ctx, "a rotation of the master key did not finish; run it again", "old_keys", keys.retired())
		}
		return keys, nil
	}
	if keys, err = newKeyring(); err != nil {
		return nil, err
	}
	if err := writeKeyFile(keyFile, keys); err != nil {
		return nil, err
	}
	logger.InfoContext(ctx, "created the master key file; keep a copy of it apart from the database", "path", keyFile)
	return keys, nil
}

// refuseLostKeys fails if the database holds anything that only the missing keys could open.
func refuseLostKeys(ctx context.Context, pool *sql.DB, keyFile string) error {
	for _, c := range sealedColumns {
		var exists, sealed bool
		err := pool.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)", c.table).Scan(&exists)
		if err == nil && exists {
			err = pool.QueryRowContext(ctx, fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE %s IS NOT NULL)", c.table, c.column)).Scan(&sealed)
		}
		if err != nil {
			return storageError("look for secrets", err)
		}
		if sealed {
			return &KeyFileError{Path: keyFile, Reason: "is missing, and the database holds secrets encrypted under it: restore the file, or start with a new database"}
		}
	}
	return nil
}

// migrate applies the migrations that the database has not seen.
func migrate(ctx context.Context, pool *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	applied, known, err := provider.GetVersions(ctx)
	if err != nil {
		return storageError("migrate", err)
	}
	if applied > known {
		return &VersionError{Found: applied, Known: known}
	}
	if _, err := provider.Up(ctx); err != nil {
		return storageError("migrate", err)
	}
	return nil
}
