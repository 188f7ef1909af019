package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrInUse says that another process, or another part of this one, has the database open.
	ErrInUse = errors.New("another soke-connector is using this database; stop it, or give this one a file of its own with --database")
	// ErrBusy says that as many writes wait as may wait. The caller tries again shortly.
	ErrBusy = errors.New("the database has too many writes waiting; try again shortly")
	// ErrClosed says that the database has been closed.
	ErrClosed = errors.New("the database is closed")
)

// Fault is why the storage cannot serve.
type Fault string

// The faults that an operator can do something about.
const (
	DiskFull  Fault = "full"      // there is no room for what was to be written
	ReadOnly  Fault = "read-only" // the file or its directory may not be written
	IOFailure Fault = "io"        // the disk failed
	Damaged   Fault = "damaged"   // the file is not a sound database
	Locked    Fault = "locked"    // another program holds the file
)

// StorageError says that the storage below the database failed: a state of the machine, not of
// the data. Nothing of the write it answers was kept, and the same write can succeed once the
// machine is well again.
type StorageError struct {
	Op    string // what was being done, such as "keep answer"
	Fault Fault
	Err   error
}

// Error names the operation, the fault and the cause.
func (e *StorageError) Error() string { return fmt.Sprintf("%s: storage %s: %v", e.Op, e.Fault, e.Err) }

// Unwrap returns the cause.
func (e *StorageError) Unwrap() error { return e.Err }

// VersionError says that a newer connector has written the database.
type VersionError struct {
	Found int64 // the migration in the database that this connector does not know
	Known int64 // the newest one that it does
}

// Error says what to do.
func (e *VersionError) Error() string {
	return fmt.Sprintf("a newer soke-connector has written it (migration %d, this one knows up to %d): run that version, or restore a backup", e.Found, e.Known)
}

// KeyFileError says that the master key file cannot be used.
type KeyFileError struct {
	Path   string
	Reason string // what is wrong and what to do
	Err    error  // the cause, or nil
}

// Error never shows what is in the file.
func (e *KeyFileError) Error() string {
	s := "the master key file " + e.Path + " " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *KeyFileError) Unwrap() error { return e.Err }

// storageError turns a failure of the disk into a *StorageError and leaves all else as it is.
func storageError(op string, err error) error {
	if err == nil || errors.As(err, new(*StorageError)) {
		return err
	}
	if fault := faultOf(err); fault != "" {
		return &StorageError{Op: op, Fault: fault, Err: err}
	}
	return err
}

// faultOf returns the first fault anywhere below err, "" if there is none. errors.As would stop
// at the first error of SQLite, which need not be the one that tells of the disk.
func faultOf(err error) Fault {
	switch e := any(err).(type) {
	case nil:
		return ""
	case *driver.Error:
		return sqliteFaults[e.Code()&0xff] // The low byte is the primary result code.
	case syscall.Errno:
		return errnoFault(e)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if fault := faultOf(err); fault != "" {
				return fault
			}
		}
		return ""
	}
	return faultOf(errors.Unwrap(err))
}

func errnoFault(e syscall.Errno) Fault {
	switch {
	case e == syscall.ENOSPC, e == syscall.EDQUOT:
		return DiskFull
	case e == syscall.EROFS, e.Is(fs.ErrPermission):
		return ReadOnly
	}
	return IOFailure
}

var sqliteFaults = map[int]Fault{
	sqlite3.SQLITE_FULL:     DiskFull,
	sqlite3.SQLITE_READONLY: ReadOnly,
	sqlite3.SQLITE_PERM:     ReadOnly,
	sqlite3.SQLITE_IOERR:    IOFailure,
	sqlite3.SQLITE_CANTOPEN: IOFailure,
	sqlite3.SQLITE_CORRUPT:  Damaged,
	sqlite3.SQLITE_NOTADB:   Damaged,
	sqlite3.SQLITE_BUSY:     Locked,
	sqlite3.SQLITE_LOCKED:   Locked,
	sqlite3.SQLITE_PROTOCOL: Locked,
}
