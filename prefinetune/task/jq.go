package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/itchyny/gojq"
)

// A jq expression is a program: it may loop, or yield without end. These bound
// what one record may cost. They are far above what a dataset needs.
const maxOutputs = 100_000

var timeLimit = 10 * time.Second // a variable for the tests alone

var errTimeLimit = errors.New("took longer than")

// compile prepares a jq expression. Without loaders an expression reaches
// nothing but its input: no environment, no further inputs, no modules.
func compile(source string) (*gojq.Code, error) {
	query, err := gojq.Parse(source)
	if err != nil {
		return nil, err
	}
	return gojq.Compile(query)
}

// evaluate calls yield for every value that the expression makes of v. It
// fails after limit values, and when it all takes longer than allowed.
func evaluate(code *gojq.Code, v any, limit int, allowed time.Duration, yield func(any) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), allowed)
	defer cancel()
	results := code.RunWithContext(ctx, v)
	for n := 0; ; n++ {
		result, ok := results.Next()
		if !ok {
			return nil
		}
		if err, failed := result.(error); failed {
			if errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("%w %v", errTimeLimit, allowed)
			}
			return err
		}
		if n == limit {
			return fmt.Errorf("yields more than %d values", limit)
		}
		if err := yield(result); err != nil {
			return err
		}
	}
}
