using System.Text.RegularExpressions;
using KeycloakCreditBridge.Configuration.Logs;

namespace KeycloakCreditBridge.Provisioning.Policy;

/// <summary>
/// What an account's id is made of: `{id}`, `{email}`, `{username}`, `{realm}`, `{attribute:name}` and any text around them, for example
/// `{realm}:{id}`. At least one value of the user's own must be in it.
/// </summary>
internal sealed partial class AccountIdTemplate
{
    private const string AttributePrefix = "attribute:";

    private readonly string _text;
    private readonly string[] _names;

    public AccountIdTemplate(string text)
    {
        (_text, _names) = (text, NamesIn(text));
        var changeable = _names.Where(name => name is not ("id" or "realm")).Distinct(StringComparer.Ordinal).ToArray();
        IsFixed = changeable.Length == 0;
        HasId = _names.Contains("id", StringComparer.Ordinal);
        HasRealm = _names.Contains("realm", StringComparer.Ordinal);
        IsAddress = changeable is ["email"] && !HasId;
        HasAddress = changeable.Contains("email", StringComparer.Ordinal);
        HasUsername = changeable.Contains("username", StringComparer.Ordinal);
        Attributes = [.. changeable.Where(IsAttribute).Select(name => name[AttributePrefix.Length..])];
    }

    /// <summary>Whether a user's account id can never change.</summary>
    public bool IsFixed { get; }

    /// <summary>Whether Keycloak's id of the user is in it, which no user can choose.</summary>
    public bool HasId { get; }

    /// <summary>Whether the realm is in it, so that users of two realms never have one account id.</summary>
    public bool HasRealm { get; }

    /// <summary>Whether the address alone decides whose account it is.</summary>
    public bool IsAddress { get; }

    /// <summary>Whether the address is in it.</summary>
    public bool HasAddress { get; }

    /// <summary>Whether the user name is in it.</summary>
    public bool HasUsername { get; }

    /// <summary>Whether users choose it: neither Keycloak's id nor an address alone makes it.</summary>
    public bool IsChosen => !IsFixed && !HasId && !IsAddress;

    /// <summary>The user's attributes that are in it.</summary>
    public IReadOnlyList<string> Attributes { get; }

    /// <summary>Whether it needs what only the full representation of a user has.</summary>
    public bool NeedsAttributes => Attributes.Count > 0;

    /// <summary>What is wrong with a template, for an operator; null when nothing is.</summary>
    public static string? Problem(string text)
    {
        const string Remedy = "use {id}, {email}, {username}, {realm} or {attribute:name}";
        var names = NamesIn(text);
        if (Array.Find(names, name => name is not ("id" or "email" or "username" or "realm") && !IsAttribute(name)) is { } unknown)
            return $"has '{{{unknown}}}': {Remedy}.";
        if (Placeholder().Replace(text, "").AsSpan().ContainsAny('{', '}'))
            return $"is '{text}', with a brace that is not closed: {Remedy}.";
        return names.All(name => name == "realm") ? $"is '{text}', which is the same for all users: {Remedy}." : null;
    }

    /// <summary>The user's account id, or null when the user lacks a value of it.</summary>
    public string? Of(Subject subject)
    {
        if (_text == "{id}")
            return subject.KeycloakId;
        return Array.Exists(_names, name => ValueOf(name, subject) is null)
            ? null
            : Placeholder().Replace(_text, match => ValueOf(match.Groups["name"].Value, subject)!);
    }

    // Two spellings of an address are one mailbox.
    private static string? ValueOf(string name, Subject subject) => Filled(name switch
    {
        "id" => subject.KeycloakId,
        "email" => subject.Email?.Trim().ToLowerInvariant(),
        "username" => subject.Username,
        "realm" => subject.Realm,
        _ => subject.Attributes?.GetValueOrDefault(name[AttributePrefix.Length..]) is [var first, ..] ? first : null,
    });

    // An id with a line break would be a line of its own in each list and log of other programs.
    private static string? Filled(string? text) =>
        string.IsNullOrWhiteSpace(text) || VisibleText.LeavesItsLine(text.Trim()) ? null : text.Trim();

    private static bool IsAttribute(string name) =>
        name.StartsWith(AttributePrefix, StringComparison.Ordinal) && name.Length > AttributePrefix.Length;

    private static string[] NamesIn(string text) => [.. Placeholder().Matches(text).Select(match => match.Groups["name"].Value)];

    [GeneratedRegex(@"\{(?<name>[^{}]*)\}")]
    private static partial Regex Placeholder();
}
