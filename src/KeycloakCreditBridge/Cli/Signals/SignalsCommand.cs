using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Review.Signals.Addresses;
using KeycloakCreditBridge.Grants.Review.Signals.Domains;
using KeycloakCreditBridge.Grants.Review.Signals.Entries;
using KeycloakCreditBridge.Grants.Review.Signals.Hashes;
using KeycloakCreditBridge.Storage;

namespace KeycloakCreditBridge.Cli.Signals;

/// <summary>Carries out `signals`.</summary>
internal static class SignalsCommand
{
    private const string By = "command";

    public static Task<int> ListAsync(CommandHost host, string[] settings, int limit, bool json) => RunAsync(
        host, settings, async (services, cancellationToken) =>
        {
            foreach (var entry in await services.GetRequiredService<EntryStore>().ListAsync(limit, cancellationToken))
                await PrintAsync(entry, json);
            return ExitCode.Done;
        });

    public static Task<int> SetAsync(CommandHost host, string[] settings, string subject, string verdict, string? note, bool json) =>
        RunAsync(host, settings, async (services, cancellationToken) =>
        {
            var (kind, value) = AllOf(services, subject)[0];
            var entry = new Entry(kind, value, verdict, note, By, services.GetRequiredService<TimeProvider>().GetUtcNow());
            await services.GetRequiredService<EntryStore>().SetAsync(entry, cancellationToken);
            await PrintAsync(entry, json);
            return ExitCode.Done;
        });

    public static Task<int> RemoveAsync(CommandHost host, string[] settings, string subject, bool json) => RunAsync(
        host, settings, async (services, cancellationToken) =>
        {
            var isRemoved = false;
            foreach (var (kind, value) in AllOf(services, subject))
            {
                isRemoved |= await services.GetRequiredService<EntryStore>().RemoveAsync(
                    kind, value, By, services.GetRequiredService<TimeProvider>().GetUtcNow(), cancellationToken);
            }

            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(new ForgottenEntries(isRemoved ? 1 : 0), SignalsJson.Default.ForgottenEntries)
                : isRemoved ? "Removed." : "Nothing was said of it.");
            return isRemoved ? ExitCode.Done : ExitCode.SomeFailed;
        });

    public static Task<int> ForgetAsync(CommandHost host, string[] settings, string address, bool json) => RunAsync(
        host, settings, async (services, cancellationToken) =>
        {
            var users = 0;
            foreach (var inbox in InboxesOf(services, address))
            {
                users += await services.GetRequiredService<EntryStore>().ForgetAsync(
                    inbox, By, services.GetRequiredService<TimeProvider>().GetUtcNow(), cancellationToken);
            }

            await Console.Out.WriteLineAsync(json
                ? JsonSerializer.Serialize(new ForgottenEntries(users), SignalsJson.Default.ForgottenEntries)
                : string.Create(CultureInfo.InvariantCulture, $"Forgot {users} users of this inbox."));
            return ExitCode.Done;
        });

    private static Task<int> RunAsync(
        CommandHost host, string[] settings, Func<IServiceProvider, CancellationToken, Task<int>> action) =>
        DatabaseSession.RunAsync(host, settings, [StorageOptions.Section, GrantsOptions.Section], action);

    // An address by each key that there is, the present one first.
    private static (string Kind, string Value)[] AllOf(IServiceProvider services, string subject) =>
        subject.Contains('@', StringComparison.Ordinal)
            ? [.. InboxesOf(services, subject).Select(inbox => (EntryKinds.Address, Convert.ToHexStringLower(inbox)))]
            : [(EntryKinds.Domain, DomainList.Normal(subject))];

    private static byte[][] InboxesOf(IServiceProvider services, string address)
    {
        var hasher = services.GetRequiredService<SignalHasher>();
        var inbox = AddressParts.Of(address).Inbox;
        return hasher.IsReady
            ? [hasher.Of(SignalKinds.Inbox, inbox)!, .. hasher.EarlierOf(SignalKinds.Inbox, inbox)]
            : throw new ConfigurationException([$"{GrantsOptions.Section}:Fraud:Key is empty: signals know no address."]);
    }

    private static Task PrintAsync(Entry entry, bool json) => Console.Out.WriteLineAsync(json
        ? JsonSerializer.Serialize(entry, SignalsJson.Default.Entry)
        : string.Create(
            CultureInfo.InvariantCulture,
            $"{entry.Verdict,-5}  {entry.Kind,-7}  {Printable.Of(entry.Value)}  {entry.MadeAt.UtcDateTime:yyyy-MM-dd HH:mm}  "
            + $"{Printable.Of(entry.Note ?? "")}").TrimEnd());
}

/// <summary>The line of `signals remove --json` and `signals forget --json`.</summary>
/// <param name="Removed">How many entries or users.</param>
internal sealed record ForgottenEntries(int Removed);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(Entry))]
[JsonSerializable(typeof(ForgottenEntries))]
internal sealed partial class SignalsJson : JsonSerializerContext;
