package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/core/cryptofmt"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// keyring is a set of master keys. It seals under the primary one and opens what any of them has
// sealed. It does not change.
type keyring struct {
	handle *keyset.Handle
	aead   tink.AEAD
	// mark opens every ciphertext of the primary key.
	mark []byte
}

// newKeyring returns a keyring with one new key.
func newKeyring() (*keyring, error) {
	return (&keyring{}).changed(keyset.NewManager(), addPrimary)
}

// withNewPrimary returns the keyring with one key more, under which it seals from then on.
func (k *keyring) withNewPrimary() (*keyring, error) {
	return k.changed(keyset.NewManagerFromHandle(k.handle), addPrimary)
}

// primaryOnly returns the keyring without the keys that it no longer seals under.
func (k *keyring) primaryOnly() (*keyring, error) {
	return k.changed(keyset.NewManagerFromHandle(k.handle), func(m *keyset.Manager) error {
		info := k.handle.KeysetInfo()
		for _, key := range info.GetKeyInfo() {
			if key.GetKeyId() == info.GetPrimaryKeyId() {
				continue
			}
			if err := m.Delete(key.GetKeyId()); err != nil {
				return err
			}
		}
		return nil
	})
}

// retired returns how many keys of the keyring open but do not seal.
func (k *keyring) retired() int { return k.handle.Len() - 1 }

// addPrimary adds a key of XChaCha20-Poly1305, whose nonces are long enough to be drawn at
// random for as many values as a database will ever hold.
func addPrimary(m *keyset.Manager) error {
	id, err := m.Add(aead.XChaCha20Poly1305KeyTemplate())
	if err != nil {
		return err
	}
	return m.SetPrimary(id)
}

func (k *keyring) changed(m *keyset.Manager, change func(*keyset.Manager) error) (*keyring, error) {
	if err := change(m); err != nil {
		return nil, fmt.Errorf("changing the master keys: %w", err)
	}
	handle, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("changing the master keys: %w", err)
	}
	return keyringOf(handle)
}

func keyringOf(handle *keyset.Handle) (*keyring, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("using the master keys: %w", err)
	}
	id := handle.KeysetInfo().GetPrimaryKeyId()
	mark := []byte{cryptofmt.TinkStartByte, byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}
	return &keyring{handle: handle, aead: primitive, mark: mark}, nil
}

// readKeyFile returns the keys in a master key file, or nil if there is no such file.
func readKeyFile(path string) (*keyring, error) {
	// A pipe would be waited for without end already when it is opened.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &KeyFileError{Path: path, Reason: "cannot be read: it is no regular file"}
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &KeyFileError{Path: path, Reason: "cannot be read", Err: err}
	}
	defer func() { _ = f.Close() }() // Nothing was written.
	info, err := f.Stat()
	if err != nil {
		return nil, &KeyFileError{Path: path, Reason: "cannot be read", Err: err}
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, &KeyFileError{Path: path, Reason: fmt.Sprintf("is open to other users (mode %04o): run chmod 600 on it", mode)}
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, &KeyFileError{Path: path, Reason: "cannot be read", Err: err}
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err == nil {
		var keys *keyring
		if keys, err = keyringOf(handle); err == nil {
			return keys, nil
		}
	}
	// The cause stays here: a parser's error may quote the keys.
	return nil, &KeyFileError{Path: path, Reason: "holds no master keys: restore it from a copy"}
}

// writeKeyFile puts keys in the place of what the file holds. When it returns nil the new file
// is on the disk; whenever it stops short of that, the old one or the new one is, whole.
func writeKeyFile(path string, keys *keyring) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // A link stays a link.
	}
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(keys.handle, keyset.NewJSONWriter(&text)); err != nil {
		return &KeyFileError{Path: path, Reason: "cannot be written", Err: err}
	}
	if err := replaceFile(path, text.Bytes()); err != nil {
		return &KeyFileError{Path: path, Reason: "cannot be written", Err: err}
	}
	return nil
}

func replaceFile(path string, content []byte) error {
	// The name is fixed, so that a crash leaves at most one, and the next write removes it.
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(draft))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename within dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
