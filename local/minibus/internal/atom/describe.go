package atom

import "encoding/xml"

// Descriptions of entities, as the content of an entry. Durations are ISO 8601.

type queueDescription struct {
	XMLName                             xml.Name `xml:"http://schemas.microsoft.com/netservices/2010/10/servicebus/connect QueueDescription"`
	I                                   string   `xml:"xmlns:i,attr"`
	LockDuration                        string
	MaxSizeInMegabytes                  int
	RequiresDuplicateDetection          bool
	RequiresSession                     bool
	DefaultMessageTimeToLive            string
	DeadLetteringOnMessageExpiration    bool
	DuplicateDetectionHistoryTimeWindow string
	MaxDeliveryCount                    int
	EnableBatchedOperations             bool
	SizeInBytes                         int
	MessageCount                        int
	IsAnonymousAccessible               bool
	AuthorizationRules                  authorizationRules
	Status                              string
	ForwardTo                           string `xml:",omitempty"`
	UserMetadata                        string `xml:",omitempty"`
	CreatedAt                           string
	UpdatedAt                           string
	AccessedAt                          string
	SupportOrdering                     bool
	CountDetails                        countDetails
	AutoDeleteOnIdle                    string
	EnablePartitioning                  bool
	ForwardDeadLetteredMessagesTo       string `xml:",omitempty"`
	EntityAvailabilityStatus            string
	EnableExpress                       bool
	MaxMessageSizeInKilobytes           int
}

type topicDescription struct {
	XMLName                             xml.Name `xml:"http://schemas.microsoft.com/netservices/2010/10/servicebus/connect TopicDescription"`
	I                                   string   `xml:"xmlns:i,attr"`
	DefaultMessageTimeToLive            string
	MaxSizeInMegabytes                  int
	RequiresDuplicateDetection          bool
	DuplicateDetectionHistoryTimeWindow string
	EnableBatchedOperations             bool
	SizeInBytes                         int
	FilteringMessagesBeforePublishing   bool
	IsAnonymousAccessible               bool
	AuthorizationRules                  authorizationRules
	Status                              string
	UserMetadata                        string `xml:",omitempty"`
	CreatedAt                           string
	UpdatedAt                           string
	AccessedAt                          string
	SupportOrdering                     bool
	CountDetails                        countDetails
	SubscriptionCount                   int
	AutoDeleteOnIdle                    string
	EnablePartitioning                  bool
	EntityAvailabilityStatus            string
	EnableSubscriptionPartitioning      bool
	EnableExpress                       bool
	MaxMessageSizeInKilobytes           int
	SQLFilterCount                      int `xml:"SqlFilterCount"`
	CorrelationFilterCount              int
}

type subscriptionDescription struct {
	XMLName                                   xml.Name `xml:"http://schemas.microsoft.com/netservices/2010/10/servicebus/connect SubscriptionDescription"`
	I                                         string   `xml:"xmlns:i,attr"`
	LockDuration                              string
	RequiresSession                           bool
	DefaultMessageTimeToLive                  string
	DeadLetteringOnMessageExpiration          bool
	DeadLetteringOnFilterEvaluationExceptions bool
	MessageCount                              int
	MaxDeliveryCount                          int
	EnableBatchedOperations                   bool
	Status                                    string
	ForwardTo                                 string `xml:",omitempty"`
	UserMetadata                              string `xml:",omitempty"`
	CreatedAt                                 string
	UpdatedAt                                 string
	AccessedAt                                string
	CountDetails                              countDetails
	ForwardDeadLetteredMessagesTo             string `xml:",omitempty"`
	AutoDeleteOnIdle                          string
	EntityAvailabilityStatus                  string
}

// countDetails are an entity's messages by what becomes of them. They have a namespace of their own.
type countDetails struct {
	D                  string `xml:"xmlns:d2p1,attr"`
	Active             int    `xml:"d2p1:ActiveMessageCount"`
	DeadLetter         int    `xml:"d2p1:DeadLetterMessageCount"`
	Scheduled          int    `xml:"d2p1:ScheduledMessageCount"`
	Transfer           int    `xml:"d2p1:TransferMessageCount"`
	TransferDeadLetter int    `xml:"d2p1:TransferDeadLetterMessageCount"`
}

func (c countDetails) total() int {
	return c.Active + c.DeadLetter + c.Scheduled + c.Transfer + c.TransferDeadLetter
}

type namespaceInfo struct {
	XMLName       xml.Name `xml:"http://schemas.microsoft.com/netservices/2010/10/servicebus/connect NamespaceInfo"`
	I             string   `xml:"xmlns:i,attr"`
	CreatedTime   string
	MessagingSKU  string
	ModifiedTime  string
	Name          string
	NamespaceType string
}
