using KeycloakCreditBridge.Configuration;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Intake;

/// <summary>How the bridge receives events.</summary>
internal sealed class IntakeOptions
{
    public const string Section = "Intake";

    /// <summary>What Keycloak's plugins send.</summary>
    public WebhookOptions Webhook { get; set; } = new();

    /// <summary>What the bridge fetches.</summary>
    public PollOptions Poll { get; set; } = new();

    /// <summary>What Keycloak's plugins publish.</summary>
    public BrokerOptions Broker { get; set; } = new();
}

internal sealed class WebhookOptions
{
    /// <summary>Whether webhooks are taken. Without it their paths answer 404, and polling and reconciliation find users.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Whether a realm without a secret takes unsigned deliveries. A realm with a secret never does.</summary>
    public bool AllowUnsigned { get; set; }

    /// <summary>Longest body in bytes, 1,024 to 16,777,216.</summary>
    public int MaxBodyBytes { get; set; } = 1024 * 1024;

    /// <summary>What bodies of senders that are not authenticated yet may hold together, in bytes.</summary>
    public long MaxUnprovenBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>
    /// The address at which Keycloak reaches the bridge, for example http://bridge:8085; empty when it is not known. Setup registers it
    /// and doctor compares; the service itself does not need it.
    /// </summary>
    [OfReplica]
    public string Url { get; set; } = "";
}

internal sealed class PollOptions
{
    /// <summary>Whether stored events are polled. Without it a lost webhook is found by reconciliation only.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Pause between polls of a realm where nothing happens.</summary>
    public TimeSpan IdleInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Pause after a poll that found events.</summary>
    public TimeSpan BusyInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How far a sweep reads back. An event appears when its transaction commits, up to 5 minutes after its time, and Keycloak's nodes
    /// may differ in their clocks: the overlap is longer than both together.
    /// </summary>
    public TimeSpan Overlap { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How often the whole overlap and the realm's event settings are read again.</summary>
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Events a request, 10 to 10,000.</summary>
    public int PageSize { get; set; } = 1_000;
}

internal sealed class IntakeOptionsValidator : IValidateOptions<IntakeOptions>
{
    private static readonly TimeSpan LongestTransaction = TimeSpan.FromMinutes(5);

    public ValidateOptionsResult Validate(string? name, IntakeOptions options)
    {
        List<string> problems = [];
        var (webhook, poll) = (options.Webhook, options.Poll);
        Check(
            webhook.MaxBodyBytes is >= 1024 and <= 16 * 1024 * 1024, "Webhook:MaxBodyBytes", webhook.MaxBodyBytes,
            "choose 1024 to 16777216");
        // The buffer of a body is at most twice as long.
        Check(
            webhook.MaxUnprovenBytes >= 4L * webhook.MaxBodyBytes, "Webhook:MaxUnprovenBytes", webhook.MaxUnprovenBytes,
            $"choose at least {4L * webhook.MaxBodyBytes}, four times Intake:Webhook:MaxBodyBytes");
        if (webhook.Url.Length > 0 && !IsAddress(webhook.Url))
        {
            problems.Add(
                $"{IntakeOptions.Section}:Webhook:Url is no http or https address without query: "
                + "give the address at which Keycloak reaches the bridge, for example http://bridge:8085.");
        }

        Check(
            poll.BusyInterval >= TimeSpan.FromMilliseconds(50) && poll.BusyInterval <= poll.IdleInterval,
            "Poll:BusyInterval", poll.BusyInterval, "choose 00:00:00.05 to Intake:Poll:IdleInterval");
        Check(poll.IdleInterval <= TimeSpan.FromHours(1), "Poll:IdleInterval", poll.IdleInterval, "choose at most 01:00:00");
        Check(
            poll.Overlap >= LongestTransaction && poll.Overlap <= TimeSpan.FromDays(1), "Poll:Overlap", poll.Overlap,
            "choose 00:05:00, the longest that an event takes to appear, to 1.00:00:00");
        Check(
            poll.SweepInterval > TimeSpan.Zero && poll.SweepInterval <= TimeSpan.FromHours(1), "Poll:SweepInterval", poll.SweepInterval,
            "choose more than 00:00:00 and at most 01:00:00");
        Check(poll.PageSize is >= 10 and <= 10_000, "Poll:PageSize", poll.PageSize, "choose 10 to 10000");
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);

        void Check(bool fine, string key, object value, string remedy)
        {
            if (!fine)
                problems.Add($"{IntakeOptions.Section}:{key} is {value}: {remedy}.");
        }
    }

    private static bool IsAddress(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var address)
        && address is { Scheme: "http" or "https", Query: "", Fragment: "", UserInfo: "" };
}
