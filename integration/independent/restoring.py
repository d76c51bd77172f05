"""Writes a folder of a snapshot below a target: content, holes, links, special files, then metadata, folders last.

Everything is made relative to a folder that is held open, never followed through a link.
"""
import os
import resource
import stat
import sys

import form
from form import Fault
from trees import BLOCK_DEVICE, CHARACTER_DEVICE, FIFO, FILE, FOLDER, SOCKET, SYMLINK, UNREADABLE, is_missing

TYPE_BITS = {FIFO: stat.S_IFIFO, CHARACTER_DEVICE: stat.S_IFCHR, BLOCK_DEVICE: stat.S_IFBLK, SOCKET: stat.S_IFSOCK}
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def allow_deep_trees():
    """One handle and a few Python frames for each folder of a path."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sys.setrecursionlimit(50000)


class Restorer:
    def __init__(self, reader, target):
        """`target`: a folder that is absent or empty, so that nothing of ours meets something of others."""
        os.makedirs(target, exist_ok=True)
        if os.listdir(target):
            raise Fault("input", "target: folder is not empty")
        self.reader, self.root = reader, os.open(target, os.O_RDONLY | os.O_DIRECTORY)
        self.first_paths, self.remarks, self.files, self.plain_bytes = {}, [], 0, 0
        allow_deep_trees()

    def restore(self, entry):
        """A folder's content goes straight into the target; anything else goes there under its name."""
        if entry["kind"] == FOLDER:
            self._fill(self.root, entry["subtree"], ())
            self._metadata(self.root, entry, ())
        else:
            self._make(self.root, entry, ())

    def restore_root(self, object_id):
        self._fill(self.root, object_id, ())

    def _fill(self, folder, object_id, path):
        if len(path) > form.PATH_DEPTH_MAX:
            raise Fault("limit", f"folder: over {form.PATH_DEPTH_MAX} folders below one another")
        for entry in self.reader.entries(object_id):
            self._make(folder, entry, path)

    def _make(self, folder, entry, parents):
        name, kind, path = entry["name"], entry["kind"], parents + (entry["name"],)
        if entry["inode"] is not None:
            first = self.first_paths.setdefault(tuple(entry["inode"]), path)
            if first is not path:
                self._link(first, folder, name)
                return
        if kind == FILE and is_missing(entry):
            self.remarks.append((path, "could not be read when it was backed up: left out"))
            return
        if kind == FOLDER:
            os.mkdir(name, 0o700, dir_fd=folder)
            handle = os.open(name, FOLDER_FLAGS, dir_fd=folder)
            try:
                self._fill(handle, entry["subtree"], path)
                self._metadata(handle, entry, path)
            finally:
                os.close(handle)
            if (entry["flags"] or 0) & UNREADABLE:
                self.remarks.append((path, "folder could not be read when it was backed up: empty"))
        elif kind == FILE:
            handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
            try:
                self._write(handle, entry)
                self._metadata(handle, entry, path)
            finally:
                os.close(handle)
        elif kind == SYMLINK:
            if not entry["target"]:
                self.remarks.append((path, "link has no target: left out"))
                return
            os.symlink(entry["target"], name, dir_fd=folder)
            self._metadata_by_name(folder, entry, path)
        elif kind in (CHARACTER_DEVICE, BLOCK_DEVICE) and entry["device"] is None:
            self.remarks.append((path, "device has no numbers: left out"))
        else:
            try:
                device = os.makedev(*entry["device"]) if entry["device"] else 0
                os.mknod(name, TYPE_BITS[kind] | 0o600, device, dir_fd=folder)
            except (OSError, OverflowError, ValueError):
                self.remarks.append((path, "special file cannot be made here: left out"))
                return
            self._metadata_by_name(folder, entry, path)

    def _write(self, handle, entry):
        """A hole is passed over; the length set at the end makes the last one."""
        for data, length in self.reader.pieces(entry):
            if data is None:
                os.lseek(handle, length, os.SEEK_CUR)
            else:
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
        os.ftruncate(handle, entry["size"] or 0)
        self.files += 1
        self.plain_bytes += entry["size"] or 0

    def _link(self, first, folder, name):
        """Hard link to the first entry of the same inode, found again from the target step by step."""
        handle = os.dup(self.root)
        try:
            for step in first[:-1]:
                deeper = os.open(step, FOLDER_FLAGS, dir_fd=handle)
                os.close(handle)
                handle = deeper
            os.link(first[-1], name, src_dir_fd=handle, dst_dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            self.remarks.append((first, "was left out, and so are its other names"))
        finally:
            os.close(handle)

    # Owner before mode (chown clears set-uid bits) and before xattrs (it clears capabilities); times last.

    def _metadata(self, handle, entry, path):
        self._try(path, "owner", lambda: os.fchown(handle, entry["uid"], entry["gid"]))
        self._try(path, "mode", lambda: os.fchmod(handle, entry["mode"]))
        for name, value in entry["xattrs"] or ():
            self._try(path, "xattr", lambda: os.setxattr(handle, name, value))
        self._try(path, "time", lambda: os.utime(handle, ns=times(entry)))

    def _metadata_by_name(self, folder, entry, path):
        name = entry["name"]
        self._try(path, "owner", lambda: os.chown(name, entry["uid"], entry["gid"], dir_fd=folder, follow_symlinks=False))
        if entry["kind"] != SYMLINK:
            self._try(path, "mode", lambda: os.chmod(name, entry["mode"], dir_fd=folder))
        for xattr, value in entry["xattrs"] or ():
            self._try(path, "xattr", lambda: os.setxattr(f"/proc/self/fd/{folder}/".encode() + name, xattr, value, follow_symlinks=False))
        self._try(path, "time", lambda: os.utime(name, ns=times(entry), dir_fd=folder, follow_symlinks=False))

    def _try(self, path, what, action):
        try:
            action()
        except (OSError, OverflowError, ValueError) as error:
            self.remarks.append((path, f"{what} not set: {error}"))


def times(entry):
    nanoseconds = entry["mtime"][0] * 10**9 + entry["mtime"][1]
    return nanoseconds, nanoseconds
