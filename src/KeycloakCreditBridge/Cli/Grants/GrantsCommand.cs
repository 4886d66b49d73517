using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Accounts;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Grants.Lots;

namespace KeycloakCreditBridge.Cli.Grants;

/// <summary>Shows the grants of an account, takes one back, or moves the end of one.</summary>
internal static class GrantsCommand
{
    // What the audit log names as the author.
    public const string Author = "command";

    private const int Width = 80;
    private const string KeyHead = "KEY";

    private static readonly string[] ColumnHeads = ["GRANTED", "LEFT", "OF", "ENDS", KeyHead, "WHY"];
    private static readonly int KeyColumn = Array.IndexOf(ColumnHeads, KeyHead);

    public static Task<int> ListAsync(CommandHost host, string[] settings, NamedUser user, bool json) =>
        RunAsync(host, settings, user, async (account, book, cancellationToken) =>
        {
            var given = (await book.ListAsync(account, cancellationToken))!;
            List<GivenGrant> grants = [.. given.Grants.OrderByDescending(grant => grant.GrantedAt)];
            if (grants.Count == 0 && !json)
                await Console.Out.WriteLineAsync($"Account {Printable.Of(account)} has no grants.");
            else
                foreach (var line in json ? grants.Select(grant => Json(account, grant)) : Table(grants))
                    await Console.Out.WriteLineAsync(line);
            return ExitCode.Done;
        });

    public static Task<int> VoidAsync(
        CommandHost host, string[] settings, NamedUser user, string key, int reach, string reason, bool json) =>
        RunAsync(host, settings, user, async (account, book, cancellationToken) =>
        {
            var result = await book.VoidAsync(
                new GrantVoid(account, key, (VoidReach)reach, reason, Author, null), cancellationToken);
            if (result.Outcome != GrantChangeOutcome.Done)
                return await RefusedAsync(result.Outcome, account, key, "was voided before: a grant is voided once");
            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(new VoidedGrant(account, key, result.Taken, result.Balance), GrantsJson.Default.VoidedGrant)
                : $"Voided {Printable.Of(key)} of account {Printable.Of(account)}: took {Number(result.Taken)}, "
                    + $"{Number(result.Balance)} left.");
            return ExitCode.Done;
        });

    public static Task<int> ExtendAsync(
        CommandHost host, string[] settings, NamedUser user, string key, ExtensionWish wish, bool json) =>
        RunAsync(host, settings, user, async (account, book, cancellationToken) =>
        {
            var result = await book.ExtendAsync(
                new GrantExtension(account, key, wish.Until, wish.NoEnd || wish.Until is not null, wish.Priority, Author, null),
                cancellationToken);
            if (result.Grant is not { } grant)
            {
                return await RefusedAsync(
                    result.Outcome, account, key, "has ended or was closed: give a new grant with POST /api/v1/credits/allocate");
            }

            await Console.Out.WriteLineAsync(json
                ? Json(account, grant)
                : $"Grant {Printable.Of(key)} of account {Printable.Of(account)}: {Number(grant.Remainder)} left, "
                    + string.Create(CultureInfo.InvariantCulture, $"{EndOf(grant)}, priority {grant.Priority}."));
            return ExitCode.Done;
        });

    private static Task<int> RunAsync(
        CommandHost host, string[] settings, NamedUser user, Func<string, GrantBook, CancellationToken, Task<int>> work) =>
        RunAsync(host, settings, user, (services, account, cancellationToken) =>
            work(account, services.GetRequiredService<GrantBook>(), cancellationToken));

    /// <summary>Runs a command on the account of a user.</summary>
    public static Task<int> RunAsync(
        CommandHost host, string[] settings, NamedUser user, Func<IServiceProvider, string, CancellationToken, Task<int>> work) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var search = await services.GetRequiredService<AccountFinder>().FindAsync(
                ConfiguredRealms.Of(services, user.Realm), user.User, cancellationToken);
            string[] found = [.. search.Views.Select(view => view.Account?.Id).OfType<string>().Distinct(StringComparer.Ordinal)];
            if (found is [var account])
                return await work(services, account, cancellationToken);
            foreach (var problem in search.Problems)
                await Console.Error.WriteLineAsync(problem);
            await Console.Error.WriteLineAsync(found.Length == 0
                ? $"There is no account of {Printable.Of(user.User)}: `account show` says what is known of the user."
                : $"{Printable.Of(user.User)} means {string.Join(", ", found.Select(Printable.Of))}: give one of these ids, or --realm.");
            return ExitCode.SomeFailed;
        });

    private static async Task<int> RefusedAsync(
        GrantChangeOutcome outcome, string account, string key, string tooLate)
    {
        await Console.Error.WriteLineAsync(outcome switch
        {
            GrantChangeOutcome.NoAccount => $"Account {Printable.Of(account)} was removed meanwhile.",
            GrantChangeOutcome.UnknownGrant =>
                $"Account {Printable.Of(account)} has no grant {Printable.Of(key)}: `grants list` has the keys of those it has.",
            _ => $"Grant {Printable.Of(key)} {tooLate}.",
        });
        return ExitCode.SomeFailed;
    }

    // Keys of allocations have 39 characters, and sources are free text: where a line would break, keys stand below and sources are cut.
    private static IEnumerable<string> Table(List<GivenGrant> grants)
    {
        string[] wide = [.. Printable.Columns([ColumnHeads, .. grants.Select(Row)])];
        if (Array.TrueForAll(wide, line => line.Length <= Width))
            return wide;
        return Printable.Columns([WithoutKey(ColumnHeads), .. grants.Select(grant => WithoutKey(Row(grant)))])
            .Select(Cut)
            .SelectMany((line, index) => (string[])[line, $"  {(index == 0 ? KeyHead : Printable.Of(grants[index - 1].Key))}"]);

        static string[] WithoutKey(string[] row) => [.. row[..KeyColumn], .. row[(KeyColumn + 1)..]];
        static string Cut(string line) => line.Length <= Width ? line : $"{line[..(Width - 3)]}...";
    }

    private static string[] Row(GivenGrant grant) =>
    [
        Day(grant.GrantedAt), Number(grant.Remainder), Number(grant.Amount), grant.IsClosed ? Closed(grant) : DayOfEnd(grant),
        Printable.Of(grant.Key), Printable.Of(grant.Reason),
    ];

    private static string DayOfEnd(GivenGrant grant) => grant.ExpiresAt is { } end ? Day(end) : "never";

    private static string Closed(GivenGrant grant) => grant.CloseReason ?? "closed";

    private static string EndOf(GivenGrant grant) => grant.ExpiresAt is { } end ? $"ends {Printable.Of(end)}" : "never ends";

    private static string Day(DateTimeOffset instant) => instant.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static string Number(decimal amount) => amount.ToString("0.00####", CultureInfo.InvariantCulture);

    private static string Json(string account, GivenGrant grant) => JsonSerializer.Serialize(
        new ShownGrant(
            account, grant.Key, grant.Amount, grant.Remainder, grant.Category, grant.Priority, grant.GrantedAt, grant.ExpiresAt,
            grant.ClosedAt, grant.CloseReason, grant.Reason, grant.Policy),
        GrantsJson.Default.ShownGrant);
}

/// <summary>A line of `grants list --json` and `grants extend --json`.</summary>
internal sealed record ShownGrant(
    string Account, string Key, decimal Amount, decimal Remainder, string Category, int Priority, DateTimeOffset GrantedAt,
    DateTimeOffset? ExpiresAt, DateTimeOffset? ClosedAt, string? CloseReason, string? Reason, string? Policy);

/// <summary>The line of `grants void --json`.</summary>
/// <param name="Taken">What it took from the balance.</param>
internal sealed record VoidedGrant(string Account, string Key, decimal Taken, decimal Balance);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ShownGrant))]
[JsonSerializable(typeof(VoidedGrant))]
internal sealed partial class GrantsJson : JsonSerializerContext;
