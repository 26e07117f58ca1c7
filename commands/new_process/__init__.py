"""`init`: a new process, as files for an analyst to go on from. What it is made of lies in the folder `files`."""
