using System.CommandLine;
using System.Text;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Keycloak.Tokens;

namespace KeycloakCreditBridge.Cli;

/// <summary>The options that name an administrator of Keycloak.</summary>
internal static class AdministratorSyntax
{
    private const string Variable = "KEYCLOAK_ADMIN_PASSWORD";

    private static readonly Option<string?> User = new("--admin-user")
    {
        Description = $"An administrator. The password comes from --admin-password-file, the variable {Variable} or a prompt.",
        HelpName = "NAME",
    };

    private static readonly Option<string?> Client = new("--admin-client")
    {
        Description = "Instead, a client whose service account is an administrator; its secret comes from the same places.",
        HelpName = "ID",
    };

    private static readonly Option<string?> PasswordFile = new("--admin-password-file")
    {
        Description = "A file that holds the password or secret.", HelpName = "FILE",
    };

    private static readonly Option<string> Realm = new("--admin-realm")
    {
        Description = "The realm that the administrator signs in to.", HelpName = "NAME", DefaultValueFactory = _ => "master",
    };

    public static void AddTo(Command command)
    {
        foreach (var option in (Option[])[User, Client, PasswordFile, Realm])
            command.Add(option);
        command.Validators.Add(result =>
        {
            if (result.GetValue(User) is not null && result.GetValue(Client) is not null)
                result.AddError("--admin-user and --admin-client exclude each other.");
        });
    }

    /// <summary>The administrator that the options name, or null. May ask for the password on a terminal.</summary>
    /// <exception cref="ConfigurationException">There is no password.</exception>
    public static Administrator? Parse(ParseResult parsed)
    {
        if ((parsed.GetValue(User) ?? parsed.GetValue(Client)) is not { } name)
            return null;
        return new Administrator(
            parsed.GetValue(Realm) ?? "master", name, parsed.GetValue(Client) is not null, Secret(parsed.GetValue(PasswordFile), name));
    }

    private static string Secret(string? file, string name)
    {
        var secret = file is not null ? Read(file) : Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrEmpty(secret) && !Console.IsInputRedirected)
            secret = Ask(name);
        return string.IsNullOrEmpty(secret)
            ? throw new ConfigurationException([$"There is no password for '{name}': add --admin-password-file FILE, or set {Variable}."])
            : secret;
    }

    private static string Read(string file)
    {
        try
        {
            return File.ReadAllText(file).TrimEnd('\r', '\n');
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException([$"--admin-password-file {file} cannot be read: {exception.Message}"]);
        }
    }

    private static string Ask(string name)
    {
        Console.Error.Write($"Password of {name}: ");
        var typed = new StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key == ConsoleKey.Backspace && typed.Length > 0)
                typed.Length--;
            else if (!char.IsControl(key.KeyChar))
                typed.Append(key.KeyChar);
        }

        Console.Error.WriteLine();
        return typed.ToString();
    }
}
