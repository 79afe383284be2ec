package keeper

const (
	sysSchedSetattr = 314
	sysSchedGetattr = 315
)
