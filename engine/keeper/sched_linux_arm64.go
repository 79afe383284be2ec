package keeper

const (
	sysSchedSetattr = 274
	sysSchedGetattr = 275
)
