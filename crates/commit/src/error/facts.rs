//! What an error is about: the details of its variants.

/// More bytes than the record of any set of files has.
pub(crate) const MAX_RECORD: u64 = 1 << 20;

/// Describes what is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathProblem {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It begins with a slash.
    #[error("it is absolute")]
    Absolute,
    /// It has two slashes in a row, or one at its end.
    #[error("it has an empty component")]
    EmptyComponent,
    /// It has a `.` component.
    #[error("it has a `.` component")]
    CurrentDirectory,
    /// It has a `..` component.
    #[error("it has a `..` component")]
    ParentDirectory,
    /// It has a zero byte, which no file name can have.
    #[error("it has a NUL byte")]
    Nul,
    /// It is a name this crate gives to its own files.
    #[error("names like this are kept for staged files")]
    Reserved,
}

/// Returns what a path names other than a regular file or a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecialFile {
    /// A directory.
    #[error("folder")]
    Directory,
    /// A named pipe.
    #[error("FIFO")]
    Fifo,
    /// A socket.
    #[error("socket")]
    Socket,
    /// A block device.
    #[error("block device")]
    BlockDevice,
    /// A character device.
    #[error("character device")]
    CharacterDevice,
    /// A file of `/proc` or `/sys`, which is made up as it is read.
    #[error("file of the kernel")]
    Kernel,
    /// Something this crate has no name for.
    #[error("special file")]
    Other,
}

/// Returns what a file has become that an interrupted commit was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stranger {
    /// There is none.
    #[error("is gone")]
    Missing,
    /// It has another content than the old and the new one.
    #[error("has neither its old nor its new content")]
    Content,
    /// Its content is known, but not its owner or mode.
    #[error("has another owner or mode than before")]
    Rights,
    /// Its content is known, but it is a second name of another file, or has got a second name.
    #[error("has a second name (a hard link)")]
    Linked,
    /// Its content is known, but the one that it should get is nowhere.
    #[error("has lost the content that it should get")]
    Lost,
}

/// Returns what keeps a file or directory from being changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Protection {
    /// The attribute of `chattr +i`.
    #[error("is immutable (chattr +i)")]
    Immutable,
    /// The attribute of `chattr +a`.
    #[error("is append-only (chattr +a)")]
    AppendOnly,
    /// A file that is mounted by itself; nothing can be renamed onto it.
    #[error("is a mount point")]
    MountPoint,
}

/// Returns what has a name that was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Occupant {
    /// A symbolic link.
    #[error("a symbolic link")]
    Symlink,
    /// Neither a regular file nor a link.
    #[error("a {0}")]
    Special(SpecialFile),
    /// A file of neither this user nor the owner of the file to replace.
    #[error("a file of user {0}")]
    OtherOwner(u32),
    /// A file with further names.
    #[error("a file with {0} hard links")]
    HardLinked(u64),
    /// A file that this commit did not put there.
    #[error("a file that another process put there")]
    Intruder,
}

/// Returns why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It is of another version of the format, or something else altogether.
    #[error("it does not begin with `kasm-db journal 1` or `2`")]
    Version,
    /// The digest at its end is not that of what is above.
    #[error("its checksum is missing or wrong")]
    Checksum,
    /// It is complete, but does not make sense.
    #[error("line {0} is not as this program writes it")]
    Line(usize),
    /// It is larger than a record can be.
    #[error("it is larger than {MAX_RECORD} bytes")]
    Size,
    /// It is not the number of a layout.
    #[error("it is not the number of a layout")]
    Layout,
    /// It is the record of another generation than the one that it lies in.
    #[error("it is the record of another generation")]
    Number,
}

/// Names what was tried when the operating system refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Operation {
    /// Resolving the path of the root.
    #[error("resolve the path")]
    Resolve,
    /// Opening a directory.
    #[error("open the folder")]
    OpenDirectory,
    /// Listing a directory.
    #[error("list the folder")]
    List,
    /// Creating files in a directory.
    #[error("write to the folder")]
    WriteDirectory,
    /// Syncing a directory.
    #[error("fsync the folder")]
    SyncDirectory,
    /// Locking the root.
    #[error("lock the folder")]
    Lock,
    /// Reading what the file system knows of a file.
    #[error("read the metadata")]
    Inspect,
    /// Opening a file.
    #[error("open the file")]
    Open,
    /// Reading a file.
    #[error("read the file")]
    Read,
    /// Removing what an earlier commit left.
    #[error("remove the rest of an earlier run")]
    RemoveStale,
    /// Creating a directory.
    #[error("create the folder")]
    CreateDirectory,
    /// Writing a backup.
    #[error("write the backup")]
    Backup,
    /// Writing the journal.
    #[error("write the journal")]
    Journal,
    /// Ending a commit: its journal becomes the manifest of its generation.
    #[error("end the journal")]
    EndJournal,
    /// Keeping what is to follow a commit.
    #[error("write what is to follow")]
    FollowUp,
    /// Keeping what is managed.
    #[error("write what is managed")]
    Managed,
    /// Making the state directory, or bringing that of an earlier version to this one's layout.
    #[error("lay out the folder")]
    Layout,
    /// Creating a file of a result.
    #[error("create the file")]
    CreateResult,
    /// Writing a file of a result.
    #[error("write the file")]
    WriteResult,
    /// Writing a file in place.
    #[error("write the file in place")]
    InPlace,
    /// Creating the staged file.
    #[error("create the staged file")]
    Stage,
    /// Writing the staged file.
    #[error("write the staged file")]
    Write,
    /// Setting owner and group.
    #[error("set the owner")]
    SetOwner,
    /// Setting the permission bits.
    #[error("set the mode")]
    SetMode,
    /// Reading an extended attribute, or their list when the name is empty.
    #[error("read the extended attribute `{0}`")]
    ReadXattr(String),
    /// Setting an extended attribute.
    #[error("set the extended attribute `{0}`")]
    SetXattr(String),
    /// Syncing a file.
    #[error("fsync the file")]
    Sync,
    /// Exchanging a file with its staged one.
    #[error("exchange the file with its staged copy")]
    Exchange,
    /// Keeping the old content under a second name.
    #[error("keep the old content by a hard link")]
    Link,
    /// Renaming the staged file onto its target.
    #[error("rename the staged copy onto the file")]
    Rename,
    /// Giving a file its old content back.
    #[error("put the old content back")]
    PutBack,
    /// Removing a staged file, or the old content after success.
    #[error("remove the file")]
    Remove,
}
