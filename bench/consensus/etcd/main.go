// Proposes to etcd as the other clients of this benchmark propose to Skein: a closed loop of callers, each with one
// put in flight, distinct keys, values of 256 bytes. Prints one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const valueBytes = 256

type report struct {
	Acknowledged int     `json:"acknowledged"`
	PerSecond    float64 `json:"perSecond"`
	P50Ms        float64 `json:"p50Ms"`
	P99Ms        float64 `json:"p99Ms"`
	// Keys with the value that was put, read back at the end.
	Found int `json:"found"`
}

func main() {
	endpoints := flag.String("endpoints", "", "host:port, separated by commas")
	inFlight := flag.Int("in-flight", 500, "callers at once")
	seconds := flag.Float64("seconds", 5, "how long")
	prefix := flag.String("prefix", "bench", "of the keys")
	flag.Parse()
	result, err := run(strings.Split(*endpoints, ","), *inFlight, *prefix, time.Duration(*seconds*float64(time.Second)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		os.Exit(1)
	}
}

func run(endpoints []string, inFlight int, prefix string, length time.Duration) (report, error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 10 * time.Second})
	if err != nil {
		return report{}, err
	}
	defer client.Close()
	waits := make([][]float64, inFlight)
	failures := make(chan error, inFlight)
	var number atomic.Int64
	var callers sync.WaitGroup
	started := time.Now()
	for caller := range waits {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for time.Since(started) < length {
				next := number.Add(1)
				before := time.Now()
				if _, err := client.Put(context.Background(), keyOf(prefix, next), valueOf(next)); err != nil {
					failures <- err
					return
				}
				waits[caller] = append(waits[caller], float64(time.Since(before))/float64(time.Millisecond))
			}
		}()
	}
	callers.Wait()
	took := time.Since(started).Seconds()
	select {
	case err := <-failures:
		return report{}, err
	default:
	}
	all := []float64{}
	for _, some := range waits {
		all = append(all, some...)
	}
	sort.Float64s(all)
	found, err := readBack(client, prefix, number.Load())
	return report{
		Acknowledged: len(all),
		PerSecond:    float64(len(all)) / took,
		P50Ms:        all[len(all)/2],
		P99Ms:        all[len(all)*99/100],
		Found:        found,
	}, err
}

func keyOf(prefix string, number int64) string {
	return fmt.Sprintf("%s/%012d", prefix, number)
}

func valueOf(number int64) string {
	head := fmt.Sprintf("%012d ", number)
	return head + strings.Repeat("s", valueBytes-len(head))
}

// In pages: an answer of everything at once would be larger than a message may be.
func readBack(client *clientv3.Client, prefix string, count int64) (int, error) {
	const page = 2_000
	found := 0
	for from := int64(1); from <= count; from += page {
		answer, err := client.Get(context.Background(), keyOf(prefix, from), clientv3.WithRange(keyOf(prefix, from+page)))
		if err != nil {
			return found, err
		}
		for at, pair := range answer.Kvs {
			number := from + int64(at)
			if string(pair.Key) == keyOf(prefix, number) && string(pair.Value) == valueOf(number) {
				found++
			}
		}
	}
	return found, nil
}
