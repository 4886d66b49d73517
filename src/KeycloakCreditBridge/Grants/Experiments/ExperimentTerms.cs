using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Rules;
using KeycloakCreditBridge.Grants.Policy.Settings;

namespace KeycloakCreditBridge.Grants.Experiments;

/// <summary>An experiment, ready to be asked. Pure.</summary>
internal sealed class ExperimentTerms
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(24);

    private readonly string _seed;
    private readonly string[] _excluded;

    public ExperimentTerms(string key, ExperimentOptions options, InviteLinks? invites = null)
    {
        Key = key;
        _seed = options.Seed.Length > 0 ? options.Seed : key;
        _excluded = [.. options.Exclude];
        Version = options.Version;
        From = InstantOf(options.From) ?? DateTimeOffset.MaxValue;
        Until = InstantOf(options.Until);
        Arms = ExperimentArm.Divide(options.Arms, options.Coverage);
        When = options.When is { } when ? new WelcomeRule(new WelcomeRuleOptions { Name = key, When = when }, 0, invites) : null;
        Winner = options.Winner.Length > 0 ? options.Winner : null;
        Definition = DefinitionOf(options, _seed, From);
    }

    public string Key { get; }

    public int Version { get; }

    /// <summary>Users that were created before are in no arm.</summary>
    public DateTimeOffset From { get; }

    /// <summary>Null without an end.</summary>
    public DateTimeOffset? Until { get; }

    /// <summary>`control` first.</summary>
    public IReadOnlyList<ExperimentArm> Arms { get; }

    /// <summary>Null for all users.</summary>
    public WelcomeRule? When { get; }

    /// <summary>The arm of all new users, as configured; null for none.</summary>
    public string? Winner { get; }

    /// <summary>What never changes while it runs, as JSON.</summary>
    public string Definition { get; }

    /// <summary>All experiments of a realm, by their begin.</summary>
    public static IReadOnlyList<ExperimentTerms> Of(IReadOnlyDictionary<string, ExperimentOptions> experiments, InviteLinks? invites) =>
        [.. experiments.Select(item => new ExperimentTerms(item.Key, item.Value, invites)).OrderBy(terms => terms.From)];

    /// <summary>Reads an instant, UTC where it has no offset; null where it is none.</summary>
    public static DateTimeOffset? InstantOf(string text) =>
        DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var instant)
            ? instant : null;

    /// <summary>The arm that the hash gives a user; null where the experiment does not cover it.</summary>
    public (int Bucket, ExperimentArm? Arm) HashOf(string keycloakId)
    {
        var bucket = ExperimentHash.BucketOf(_seed, keycloakId);
        return (bucket, ExperimentArm.Of(Arms, bucket));
    }

    /// <summary>Whether the experiment concerns a user that was read as fully as its conditions need.</summary>
    /// <param name="user">The user as Keycloak says now.</param>
    /// <param name="attribution">Where the user came from; null where that is not known.</param>
    public bool Concerns(GrantUser user, Attribution? attribution) =>
        When?.Matches(user, attribution ?? user.Registration?.Attribution) != false;

    /// <summary>Whether a user may be in an arm: found soon enough, by no hand, and not left out.</summary>
    /// <param name="user">The user as Keycloak says now.</param>
    /// <param name="openedAt">When the account was opened.</param>
    /// <param name="isByHand">Whether an operator's backfill or an adoption opened it.</param>
    public bool Admits(GrantUser user, DateTimeOffset openedAt, bool isByHand) =>
        !isByHand && user.CreatedAt is { } created && created >= From && !(created >= Until) && openedAt - created <= LongestWait
        && !IsExcluded(user.Email);

    private bool IsExcluded(string? address) => address is not null && Array.Exists(_excluded, item => item.StartsWith('@')
        ? address.EndsWith(item, StringComparison.OrdinalIgnoreCase)
        : address.Equals(item, StringComparison.OrdinalIgnoreCase));

    private static string DefinitionOf(ExperimentOptions options, string seed, DateTimeOffset from) => new JsonObject
    {
        ["Seed"] = seed,
        [nameof(From)] = from.ToString("yyyy-MM-ddTHH:mm:ss.FFFFFFFK", CultureInfo.InvariantCulture),
        ["Metric"] = options.Metric,
        ["Planned"] = options.Planned,
        [nameof(options.When)] = JsonSerializer.SerializeToNode(options.When, ExperimentJson.Default.RuleWhenOptions),
        [nameof(options.Arms)] = new JsonArray([.. options.Arms.Select(arm => new JsonObject
        {
            ["Name"] = arm.Name, ["Weight"] = Text(arm.Weight), ["Credits"] = Text(arm.Credits), ["ExpiresAfter"] = $"{arm.ExpiresAfter:c}",
        })]),
    }.ToJsonString();

    private static string Text(decimal? amount) => (amount ?? 0m).ToString("0.##########", CultureInfo.InvariantCulture);
}
