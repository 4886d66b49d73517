using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Accounts;
using KeycloakCreditBridge.Cli.Arguments;

namespace KeycloakCreditBridge.Cli.Account;

/// <summary>Shows everything that is known of a user and the account, with the reason for its state.</summary>
internal static class AccountCommand
{
    public static Task<int> ShowAsync(CommandHost host, string[] settings, string user, string? realm, bool json) =>
        DatabaseSession.RunAsync(host, settings, [], async (services, cancellationToken) =>
        {
            var realms = ConfiguredRealms.Of(services, realm);
            var search = await services.GetRequiredService<AccountFinder>().FindAsync(realms, user, cancellationToken);
            foreach (var view in search.Views)
                await Console.Out.WriteAsync(json ? $"{Json(view)}\n" : AccountReport.Text(view));
            foreach (var problem in search.Problems)
                await Console.Error.WriteLineAsync(problem);
            if (search.Views.Count > 0)
                return ExitCode.Done;
            await Console.Error.WriteLineAsync(
                search.Problems.Count == 0
                    ? $"No user in {string.Join(", ", realms)} has the id, user name or e-mail address {Printable.Of(user)}."
                    : $"Nothing is on record for the id {Printable.Of(user)}; a search by user name or e-mail address needs Keycloak.");
            return ExitCode.SomeFailed;
        });

    private static string Json(AccountView view) => JsonSerializer.Serialize(view, AccountJson.Default.AccountView);
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(AccountView))]
internal sealed partial class AccountJson : JsonSerializerContext;
