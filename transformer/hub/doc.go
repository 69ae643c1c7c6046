// Package hub fetches models by name from the Hugging Face Hub, or from a server that answers as it does, into the cache
// that Hugging Face's own programs keep, so that a model is on a disk once whoever asked for it.
//
//	dir, err := hub.Download(ctx, hub.Config{}, "FacebookAI/roberta-base", "")
//	...
//	model, err := transformer.Load(dir)
//
// [Download] asks the server which commit a revision is and which files that has, fetches those that are not in the cache,
// and returns the folder of the commit. The cache looks so (https://huggingface.co/docs/hub/local-cache):
//
//	models--FacebookAI--roberta-base/
//	    refs/main                              the commit that main was when last asked for
//	    snapshots/<commit>/config.json         a link to ../../blobs/<hash>
//	    blobs/<hash>                           a content: SHA-256 of a large file, Git's SHA-1 of a small one
//	    blobs/<hash>.incomplete                the first part of one, to be continued
//
// A content gets its name in blobs once it is complete, has the hash, and is on disk; a file its name in snapshots after
// that; and the revision's name comes last. So whatever happens on the way, a crash, a full disk, a connection that breaks,
// there is never a wrong file under a right name, and the same call again continues where the last one stopped. Two
// processes that want the same file take turns. Where a system has no symbolic links, files are hard links or copies.
//
// The environment is that of Hugging Face's programs:
//
//	HF_ENDPOINT       the server; https://huggingface.co
//	HF_TOKEN          the secret for private and gated models, else the content of the file that HF_TOKEN_PATH names;
//	                  $HF_HOME/token
//	HF_HUB_CACHE      the cache; $HF_HOME/hub
//	HF_HOME           $XDG_CACHE_HOME/huggingface or ~/.cache/huggingface
//	HF_HUB_OFFLINE    1 to take what the cache has and open no connection
//
// The token goes to the server alone, never to where it redirects: large files come from other hosts. Proxies are those
// of the environment, as for every Go program.
package hub
