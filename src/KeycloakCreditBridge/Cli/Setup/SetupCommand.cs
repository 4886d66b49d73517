using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Hosting.Addresses;
using KeycloakCreditBridge.Intake;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Keycloak.Admin;
using KeycloakCreditBridge.Keycloak.ClientKeys;
using KeycloakCreditBridge.Keycloak.Tokens;
using KeycloakCreditBridge.Setup;
using KeycloakCreditBridge.Setup.Clients;
using KeycloakCreditBridge.Setup.Operators;
using KeycloakCreditBridge.Setup.Realms;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Cli.Setup;

/// <summary>The arguments of `setup keycloak`.</summary>
internal sealed record SetupArguments(
    string[] Settings, Administrator Administrator, TimeSpan Retention, bool NoWebhook, bool DryRun, bool Yes, bool Undo, bool Json);

/// <summary>Gives Keycloak's realms what the bridge needs, or takes it back. Needs Keycloak only.</summary>
internal static class SetupCommand
{
    /// <exception cref="ConfigurationException">Something has to be corrected first; no realm was changed.</exception>
    /// <exception cref="KeycloakException">Keycloak did not answer; the same command resumes.</exception>
    public static async Task<int> RunAsync(CommandHost host, SetupArguments arguments)
    {
        await using var app = host.BuildCommand(arguments.Settings);
        ConfigurationCheck.Run(app.Services, [KeycloakOptions.Section, IntakeOptions.Section, PageOptions.Section]);
        using var stop = new StopSignal(() => { });
        var options = app.Services.GetRequiredService<IOptions<KeycloakOptions>>().Value;
        using var key = options.ClientAuthentication == ClientAuthentication.PrivateKeyJwt ? ClientKey.Read(options.PrivateKeyFile) : null;

        var planned = await PlanAsync(app.Services, options, key, arguments, stop.Token);
        if (!arguments.Json)
            foreach (var line in planned.SelectMany(plan => plan.Lines))
                await Console.Out.WriteLineAsync(Printable.Of(line));
        var isDue = planned.Exists(plan => plan.Steps.Count > 0);
        var applies = isDue && !arguments.DryRun && Confirm(arguments.Yes);
        if (applies)
            foreach (var plan in planned)
                await plan.ApplyAsync(stop.Token);
        if (arguments.Json)
            foreach (var (realm, plan) in options.Realms.Zip(planned))
                await Console.Out.WriteLineAsync(Json(realm.Name, plan, applies));
        else if (applies || !isDue)
            await Console.Out.WriteLineAsync(applies ? "Done." : "Nothing to do.");
        return applies || !isDue ? await SignInAsync(app.Services, options, arguments, stop.Token) : ExitCode.SomeFailed;
    }

    private static string Json(string realm, RealmPlan plan, bool applied) => JsonSerializer.Serialize(
        new SetupResult(realm, [.. plan.Steps.SelectMany(step => step.Lines)], plan.Notes, applied), SetupResultJson.Default.SetupResult);

    // What was written is not what holds: a client policy may change a client, or demand more of it than a write shows.
    private static async Task<int> SignInAsync(
        IServiceProvider services, KeycloakOptions options, SetupArguments arguments, CancellationToken cancellationToken)
    {
        if (arguments.Undo)
            return ExitCode.Done;
        var exitCode = ExitCode.Done;
        foreach (var realm in options.Realms)
        {
            try
            {
                await services.GetRequiredService<KeycloakClient>().CheckUserAccessAsync(realm.Name, cancellationToken);
            }
            catch (Exception exception) when (exception is KeycloakAuthenticationException or KeycloakForbiddenException)
            {
                var policies = new ClientPolicies(SessionOf(services, arguments, realm.Name));
                var sentence = await policies.SentenceAsync(cancellationToken);
                await Console.Error.WriteLineAsync(
                    Printable.Of($"The bridge cannot work in realm {realm.Name} yet: {exception.Message}{sentence}"));
                exitCode = ExitCode.SomeFailed;
            }
        }

        return exitCode;
    }

    private static AdminSession SessionOf(IServiceProvider services, SetupArguments arguments, string realm) => new(
        services.GetRequiredService<AdminTransport>(), realm,
        new AdministratorToken(services.GetRequiredService<TokenEndpoint>(), arguments.Administrator));

    // All realms are planned before any is changed, so that a mistake shows before anything has changed.
    private static async Task<List<RealmPlan>> PlanAsync(
        IServiceProvider services, KeycloakOptions options, ClientKey? key, SetupArguments arguments, CancellationToken cancellationToken)
    {
        var intake = services.GetRequiredService<IOptions<IntakeOptions>>().Value;
        var transport = services.GetRequiredService<AdminTransport>();
        var account = new AdministratorToken(services.GetRequiredService<TokenEndpoint>(), arguments.Administrator);
        var wanted = new SetupOptions(
            arguments.Retention, intake.Webhook.Url.Length == 0 ? null : new Uri(intake.Webhook.Url), !arguments.NoWebhook,
            intake.Poll.Enabled ? intake.Poll.IdleInterval : null)
        {
            Listening = ListenAddresses.Of(services.GetRequiredService<IConfiguration>()),
        };
        var page = services.GetRequiredService<IOptions<PageOptions>>().Value;
        List<RealmPlan> planned = [];
        List<string> problems = [];
        foreach (var realm in options.Realms)
        {
            var session = new AdminSession(transport, realm.Name, account);
            var setup = new RealmSetup(session, options, key, PageClientOf(session, options, page));
            try
            {
                planned.Add(
                    arguments.Undo ? await setup.PlanUndoAsync(cancellationToken) : await setup.PlanAsync(wanted, cancellationToken));
            }
            catch (ConfigurationException exception)
            {
                problems.AddRange(exception.Problems.Except(problems, StringComparer.Ordinal));
            }
            catch (KeycloakRealmNotFoundException exception)
            {
                problems.Add(exception.Message);
            }
        }

        return problems.Count == 0 ? planned : throw new ConfigurationException(problems);
    }

    private static PageClient? PageClientOf(AdminSession session, KeycloakOptions options, PageOptions page) =>
        page.Enabled && session.Realm == page.RealmOf(options)
            ? new PageClient(session, page, [.. options.Realms.Select(realm => realm.Name).Where(name => name != session.Realm)])
            : null;

    private static bool Confirm(bool yes)
    {
        if (yes)
            return true;
        if (Console.IsInputRedirected)
            throw new ConfigurationException(
                ["Nothing was changed, because standard input is not a terminal: add --yes to make these changes."]);
        Console.Error.Write("Make these changes? [y/N] ");
        return Console.ReadLine()?.Trim() is "y" or "Y" or "yes";
    }
}

/// <summary>A line of `setup keycloak --json`.</summary>
/// <param name="Changes">What is to be done, or was: `+` adds, `~` changes, `-` removes.</param>
/// <param name="Notes">What setup does not change.</param>
/// <param name="Applied">Whether the changes were made.</param>
internal sealed record SetupResult(string Realm, IReadOnlyList<string> Changes, IReadOnlyList<string> Notes, bool Applied);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(SetupResult))]
internal sealed partial class SetupResultJson : JsonSerializerContext;
