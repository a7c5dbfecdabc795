// A CNI plugin, chained after the one that makes a pod's link: it tells the part of the harness
// that keeps the NetworkPolicies which address the pod got, and lets the pod start once they hold.
// The API server learns a pod's address only about a second after its processes run.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

type configuration struct {
	Version  string          `json:"cniVersion"`
	Socket   string          `json:"socket"`
	Previous json.RawMessage `json:"prevResult"`
}

type result struct {
	Addresses []struct {
		Address string `json:"address"`
	} `json:"ips"`
}

const patience = 10 * time.Second

func main() {
	if err := run(os.Getenv("CNI_COMMAND")); err != nil {
		const tryAgainLater = 11
		json.NewEncoder(os.Stdout).Encode(map[string]any{
			"cniVersion": "0.4.0", "code": tryAgainLater, "msg": err.Error(),
		})
		os.Exit(1)
	}
}

func run(command string) error {
	if command == "VERSION" {
		_, err := fmt.Println(`{"cniVersion":"1.0.0","supportedVersions":["0.3.1","0.4.0","1.0.0"]}`)
		return err
	}
	if command != "ADD" {
		return nil
	}
	var conf configuration
	if err := json.NewDecoder(os.Stdin).Decode(&conf); err != nil {
		return fmt.Errorf("configuration of the network: %w", err)
	}
	var previous result
	if err := json.Unmarshal(conf.Previous, &previous); err != nil || len(previous.Addresses) == 0 {
		return fmt.Errorf("the plugin before this one gave the pod no address (%v)", err)
	}
	address, _, _ := strings.Cut(previous.Addresses[0].Address, "/")
	if err := await(conf.Socket, address, podOf(os.Getenv("CNI_ARGS"))); err != nil {
		return fmt.Errorf("NetworkPolicies of the pod do not hold yet: %w", err)
	}
	_, err := os.Stdout.Write(conf.Previous)
	return err
}

func podOf(arguments string) map[string]string {
	values := map[string]string{}
	for _, pair := range strings.Split(arguments, ";") {
		key, value, _ := strings.Cut(pair, "=")
		values[key] = value
	}
	return map[string]string{
		"namespace": values["K8S_POD_NAMESPACE"],
		"name":      values["K8S_POD_NAME"],
		"uid":       values["K8S_POD_UID"],
	}
}

func await(socket, address string, pod map[string]string) error {
	connection, err := net.DialTimeout("unix", socket, patience)
	if err != nil {
		return err
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(patience))
	pod["address"] = address
	if err := json.NewEncoder(connection).Encode(pod); err != nil {
		return err
	}
	answer, err := bufio.NewReader(connection).ReadString('\n')
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) != "ok" {
		return fmt.Errorf("%s", strings.TrimSpace(answer))
	}
	return nil
}
