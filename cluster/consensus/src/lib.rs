//! How nodes come to agree: Raft over a store on disk, behind which the view, the states of members and the leases of jobs live.
