package replay

// Requests returns the requests of a plan in the order in which they are sent.
func (p *Plan) Requests() []*Request {
	all := make([]*Request, p.Len())
	for i := range all {
		all[i] = p.request(i)
	}
	return all
}
