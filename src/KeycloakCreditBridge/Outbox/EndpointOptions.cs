namespace KeycloakCreditBridge.Outbox;

/// <summary>A program that events are sent to.</summary>
internal sealed class EndpointOptions
{
    /// <summary>Where it takes them: an https address, or the amqps address of a RabbitMQ broker.</summary>
    public string Url { get; set; } = "";

    /// <summary>`whsec_` and 24 to 64 random bytes as base64: events are signed with it.</summary>
    public string Secret { get; set; } = "";

    /// <summary>The secret before it, for as long as the program still checks signatures of it; empty for none.</summary>
    public string PreviousSecret { get; set; } = "";

    /// <summary>The broker's user, whose permissions docs/events.md names.</summary>
    public string UserName { get; set; } = "";

    /// <summary>That user's password.</summary>
    public string Password { get; set; } = "";

    /// <summary>The broker's exchange that events are published to. The bridge never makes it.</summary>
    public string Exchange { get; set; } = "";

    /// <summary>The types that it gets, such as `credits.low` or `credits.account.*`; all without an entry.</summary>
    public List<string> Types { get; set; } = [];

    /// <summary>Whether the address may be one of this network or machine.</summary>
    public bool AllowPrivate { get; set; }

    /// <summary>Whether the address may be http or amqp: what events tell is readable on the way.</summary>
    public bool AllowHttp { get; set; }

    /// <summary>Events in one request, 1 to 500. More than one are sent as a batch of CloudEvents.</summary>
    public int Batch { get; set; } = 1;

    /// <summary>Requests at the same time, 1 to 64, each with events of other accounts.</summary>
    public int Concurrency { get; set; } = 8;

    /// <summary>How long an answer is waited for, 1 to 60 s.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Whether it is a RabbitMQ broker.</summary>
    public bool IsBroker => Uri.TryCreate(Url, UriKind.Absolute, out var url) && url is { Scheme: "amqp" or "amqps" };

    /// <summary>The recorded types that <see cref="Types"/> names.</summary>
    public string[] ChosenTypes =>
        Types.Count == 0 ? EventTypes.All : [.. EventTypes.All.Where(type => Types.Exists(one => Names(one, type)))];

    /// <summary>Whether an entry of <see cref="Types"/> names a type.</summary>
    public static bool Names(string entry, string type) =>
        entry == type || (entry.EndsWith(".*", StringComparison.Ordinal) && type.StartsWith(entry[..^1], StringComparison.Ordinal));
}
